// The text of docs/configuration.md and .env.example, from the settings' schema, the profiles and the list of
// foreign names. Pure functions; docs.ts writes the files.
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
Settings are environment variables. A file \`.env\` in the working directory may hold them too; \`.env.example\` is one to copy. What counts, in this order: the environment, \`.env\`, the profile, the default. An empty value is the same as none, except where the tables say what empty means.

\`sluice --print-config\` prints every setting with its value and where it comes from, as lines of an environment file; passwords stay hidden. It starts nothing.

## How values are written
| kind | examples | notes |
|---|---|---|
| duration | \`500ms\`, \`10s\`, \`2m\`, \`1h\`, \`1.5s\`, \`1m30s\`, \`0\` | Go's syntax, with the units ns, us, ms, s, m, h. A number without a unit is refused, except 0. Parts of a millisecond are rounded up |
| size | \`65536\`, \`64KiB\`, \`1MiB\`, \`1.5GiB\`, \`64KB\` | KiB, MiB, GiB, TiB are powers of 1024; KB, MB, GB, TB are powers of 1000; no unit means bytes |
| yes or no | \`true\`, \`1\`, \`t\`, \`yes\`, \`on\`; \`false\`, \`0\`, \`f\`, \`no\`, \`off\` | capitals do not matter, neither in a choice from a list |
| list | \`kafka-1:9092,kafka-2:9092,[::1]:9092\` | divided by commas |

## Wrong settings
The gateway starts with none or all of its settings understood. Otherwise it prints every problem at once on standard error, each with the variable, its value and what is allowed, and ends with exit code 78; nothing was started, and starting again without a change is useless (systemd: \`RestartPreventExitStatus=78\`). A misspelt name is a problem too and is answered with the nearest real one:
\`\`\`
$ TCP_PORT=80800 KAFKA_BROKER=kafka:9092 sluice
sluice: 2 problems in the settings, nothing was started
  KAFKA_BROKER (environment) is not a setting; the nearest real name is KAFKA_BROKERS
  TCP_PORT="80800" (environment) is not allowed; allowed: a whole number from 0 to 65535
All settings: docs/configuration.md
\`\`\`
A setting marked "not built yet" is accepted, so that one environment file serves later versions too; where it is set to something else than its default, a warning says that it has no effect.

## Examples
\`\`\`
# a broker elsewhere, with encryption and login
KAFKA_BROKERS=kafka-1.example.net:9093,kafka-2.example.net:9093
KAFKA_SSL=true
KAFKA_SASL_MECHANISM=scram-sha-512
KAFKA_SASL_USERNAME=sluice
KAFKA_SASL_PASSWORD=...

# a large fleet, but with the batches of one's own choice
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
    Object.entries(PROFILES[profile].values).map(([name, { value, why }], index) => [
      index === 0 ? `\`${profile}\`: ${PROFILES[profile].about}` : '',
      `\`${name}=${value}\``,
      why,
    ]),
  );
  return `## Profiles
\`PROFILE\` names a set of values for a situation. One at a time; a variable set by hand wins over it.
${textTable(['profile', 'sets', 'because'], rows)}
`;
}

function foreignSection(): string {
  return `## Names that are left alone
A name that begins with \`TCP_\`, \`KAFKA_\`, \`SPOOL_\`, \`HTTP_\`, \`STATS_\` or \`SHUTDOWN_\` must be one of the above. Other software puts some such names into an environment; these are ignored:
${FOREIGN_NAMES.map(({ why }) => `- ${why}`).join('\n')}

A Kubernetes service called \`tcp\` or \`http\` sets \`TCP_PORT\` or \`HTTP_PORT\` itself. That is a real setting with a wrong value and so a problem; \`enableServiceLinks: false\` in the pod's specification ends it.
`;
}

export function envExample(): string {
  const sections = groups.map(
    ({ title, names }) => `# --- ${title} ---\n${names.map(exampleLines).join('\n')}`,
  );
  return `# Every setting with its default. Copy this file to .env and take the # from the lines you change.
# Limits, syntax and profiles: docs/configuration.md. Generated by \`npm run docs\`; do not edit.

${sections.join('\n\n')}
`;
}

function exampleLines(name: SettingName): string {
  const [, , , meaning] = settingRow(name);
  return `# ${meaning}\n#${name}=${aboutSetting(name).default}`;
}
