// Builds docs/configuration.md and .env.example from the settings' schema, the profiles and the list of foreign names.
// main.ts writes the files.
import { FOREIGN_NAMES } from '../../src/config/names.ts';
import { PROFILES } from '../../src/config/profiles.ts';
import {
  aboutSetting,
  GROUPS,
  PROFILE_NAMES,
  SETTING_NAMES,
  type SettingName,
} from '../../src/config/settings.ts';
import { textTable } from './markdown.ts';

const groups = Object.entries(GROUPS).map(([group, title]) => ({
  title,
  names: SETTING_NAMES.filter((name) => aboutSetting(name).group === group),
}));

export function configurationPage(): string {
  const tables = groups.map(
    ({ title, names }) =>
      `## ${title}\n${textTable(['variable', 'default', 'allowed', 'meaning'], names.map(settingRow))}\n`,
  );
  return `<!-- Generated from src/config/settings.ts and src/config/profiles.ts by \`npm run docs\`. Do not edit. -->
${INTRODUCTION}
${tables.join('\n')}
${profilesSection()}
${foreignSection()}`;
}

const INTRODUCTION = `# Configuration
Settings are environment variables. A file \`.env\` in the working directory can hold them too; copy \`.env.example\` to begin with. The order of precedence is: environment, \`.env\`, profile, default. An empty value counts as not set, unless the tables below give it a meaning.

\`sluice --print-config\` prints every setting with its value and origin as lines of an environment file. It hides passwords and starts nothing.

## How values are written
| kind | examples | notes |
|---|---|---|
| duration | \`500ms\`, \`10s\`, \`2m\`, \`1h\`, \`1.5s\`, \`1m30s\`, \`0\` | Go's syntax, with the units ns, us, ms, s, m, h. A number without a unit is refused, except 0. Fractions of a millisecond are rounded up |
| size | \`65536\`, \`64KiB\`, \`1MiB\`, \`1.5GiB\`, \`64KB\` | KiB, MiB, GiB, TiB are powers of 1024; KB, MB, GB, TB are powers of 1000; no unit means bytes |
| yes or no | \`true\`, \`1\`, \`t\`, \`yes\`, \`on\`; \`false\`, \`0\`, \`f\`, \`no\`, \`off\` | upper and lower case are the same, also in a choice from a list |
| list | \`kafka-1:9092,kafka-2:9092,[::1]:9092\` | separated by commas |

## Wrong settings
If a setting is wrong, the gateway does not start. It prints all problems at once on standard error, each with the variable, its value and the allowed values, and ends with exit code 78. Another start without a change would fail too (systemd: \`RestartPreventExitStatus=78\`). A misspelt name is also a problem; the message names the nearest setting:
\`\`\`
$ TCP_PORT=80800 KAFKA_BROKER=kafka:9092 sluice
sluice: 2 problems in the settings, nothing was started
  KAFKA_BROKER (environment) is not a setting; the nearest real name is KAFKA_BROKERS
  TCP_PORT="80800" (environment) is not allowed; allowed: a whole number from 0 to 65535
All settings: docs/configuration.md
\`\`\`
A setting marked "not built yet" is accepted, so that an environment file also fits later versions. If it is not at its default, a warning says that it has no effect.

## Examples
\`\`\`
# a broker elsewhere, with encryption and login
KAFKA_BROKERS=kafka-1.example.net:9093,kafka-2.example.net:9093
KAFKA_SSL=true
KAFKA_SASL_MECHANISM=scram-sha-512
KAFKA_SASL_USERNAME=sluice
KAFKA_SASL_PASSWORD=...

# a large fleet with a batch timeout of its own
PROFILE=large
KAFKA_BATCH_TIMEOUT=50ms

# no admin HTTP, no dead letters
HTTP_PORT=
KAFKA_TOPIC_DEAD_LETTERS=
\`\`\`
`;

function settingRow(name: SettingName): string[] {
  const { default: byDefault, allowed, description, empty, laterFeature } = aboutSetting(name);
  const meaning = [description];
  if (empty !== undefined) meaning.push(`empty = ${empty}`);
  if (laterFeature !== undefined) meaning.push('not built yet');
  return [`\`${name}\``, byDefault === '' ? '' : `\`${byDefault}\``, allowed, meaning.join('; ')];
}

function profilesSection(): string {
  const rows = PROFILE_NAMES.flatMap((profile) =>
    Object.entries(PROFILES[profile].values).map(([name, [value, why]], index) => [
      index === 0 ? `\`${profile}\`: ${PROFILES[profile].about}` : '',
      `\`${name}=${value}\``,
      why,
    ]),
  );
  return `## Profiles
\`PROFILE\` selects one set of values for a situation. A setting that is given wins over the profile.
${textTable(['profile', 'sets', 'because'], rows)}
`;
}

function foreignSection(): string {
  return `## Names that are left alone
A name that begins with \`TCP_\`, \`KAFKA_\`, \`SPOOL_\`, \`HTTP_\`, \`STATS_\` or \`SHUTDOWN_\` must be a setting. Other software sets some variables with such names, which are ignored:
${FOREIGN_NAMES.map(({ why }) => `- ${why}`).join('\n')}

A Kubernetes service called \`tcp\` or \`http\` sets \`TCP_PORT\` or \`HTTP_PORT\` to a wrong value, which is a problem. Set \`enableServiceLinks: false\` in the pod's specification.
`;
}

export function envExample(): string {
  const sections = groups.map(
    ({ title, names }) => `# --- ${title} ---\n${names.map(exampleLines).join('\n')}`,
  );
  return `# Every setting with its default. Copy this file to .env and remove the # from lines that you change.
# Limits, syntax and profiles: docs/configuration.md. Generated by \`npm run docs\`; do not edit.

${sections.join('\n\n')}
`;
}

function exampleLines(name: SettingName): string {
  const [, , , meaning] = settingRow(name);
  return `# ${meaning}\n#${name}=${aboutSetting(name).default}`;
}
