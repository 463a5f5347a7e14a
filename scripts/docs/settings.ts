// Builds docs/configuration.md and .env.example from the settings' schema, the profiles and the list of foreign names.
// main.ts writes the files.
import { EXIT_CODES } from '../../src/config/exit-codes.ts';
import { FOREIGN_NAMES } from '../../src/config/foreign-names.ts';
import { GROUPS } from '../../src/config/groups.ts';
import { PROFILES } from '../../src/config/profiles.ts';
import { aboutSetting, PROFILE_NAMES, SETTING_NAMES, type SettingName } from '../../src/config/settings.ts';
import { textTable } from './markdown.ts';

/** The settings by group, in the order of the docs. */
export const settingGroups = Object.entries(GROUPS).map(([group, title]) => ({
  title,
  names: SETTING_NAMES.filter((name) => aboutSetting(name).group === group),
}));

export function configurationPage(): string {
  const tables = settingGroups.map(
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

\`sluice --print-config\` prints every setting with its value and origin as lines of an environment file. It hides secrets and starts nothing. \`sluice check\` prints those that are set, and says what is wrong with them, with this machine and with Kafka ([the doctor](operating.md#the-doctor)).

In \`.env\`, a secret with a \`#\` has to be in quotes. For Docker Compose one with a \`$\` has to be in single quotes. What else is done for secrets: [security](security.md#secrets).

## How values are written
| kind | examples | notes |
|---|---|---|
| duration | \`500ms\`, \`10s\`, \`2m\`, \`1h\`, \`1.5s\`, \`1m30s\`, \`0\` | Go's syntax, with the units ns, us, ms, s, m, h. A number without a unit is refused, except 0. Fractions of a millisecond are rounded up |
| size | \`65536\`, \`64KiB\`, \`1MiB\`, \`1.5GiB\`, \`64KB\` | KiB, MiB, GiB, TiB are powers of 1024; KB, MB, GB, TB are powers of 1000; no unit means bytes |
| yes or no | \`true\`, \`1\`, \`t\`, \`yes\`, \`on\`; \`false\`, \`0\`, \`f\`, \`no\`, \`off\` | upper and lower case are the same, also in a choice from a list |
| list | \`kafka-1:9092,kafka-2:9092,[::1]:9092\` | separated by commas |

## Wrong settings
If a setting is wrong, the gateway does not start. It prints all problems at once on standard error, each with the variable, its value and the allowed values, and ends with exit code 78. Another start without a change would fail too (systemd: \`RestartPreventExitStatus=78\`). A misspelt name is also a problem; the message names the nearest setting:
\`\`\`console
$ TCP_PORT=80800 KAFKA_BROKER=kafka:9092 sluice
sluice: 2 problems in the settings, nothing was started
  KAFKA_BROKER (environment) is not a setting; the nearest real name is KAFKA_BROKERS
  TCP_PORT="80800" (environment) is not allowed; allowed: a whole number from 0 to 65535
All settings: docs/configuration.md
\`\`\`

## Exit codes
${textTable(
  ['code', 'when', 'start it again?'],
  EXIT_CODES.map(({ code, when, again }) => [String(code), when, again]),
)}

For systemd there is [a unit](../deploy/systemd/sluice.service) ([how to install it](deployment.md#systemd)). It has \`Restart=on-failure\` and \`RestartPreventExitStatus\` with every code that needs a person; the gateway itself ends with 64 and 78 of these. For a spool on a disk of its own add \`RequiresMountsFor=/srv/sluice/spool\`.

## Signals
They go to the first process. Server processes ignore all of them, because Ctrl-C reaches the whole group.

| signal | the gateway |
|---|---|
| SIGTERM | drains, then stops ([below](#stop-and-drain)) |
| SIGINT | stops without the drain, because somebody waits. After \`POST /drain\` it cuts the drain short |
| a second SIGTERM or SIGINT | ends at once with exit code 1. Records that are neither confirmed nor on disk are lost, and no device was told that they are stored |
| SIGHUP | stops if the gateway was started from a terminal, which sends it when it closes. Otherwise it goes on: it reads certificates, tokens and passwords again, takes \`LOG_LEVEL\` from \`.env\`, and the log names the other settings that have changed in \`.env\` and need a restart. If they are no longer valid, the log says so |
| SIGUSR1, SIGUSR2 | does nothing. Without that, the first would open Node's debugger and the second end the process |

\`npm start\` passes SIGTERM and Ctrl-C on and waits for the end. If npm is gone (SIGKILL, or a closed session), the gateway says so within a second and stops in order. The same holds for \`npx sluice\`, which SIGTERM ends without passing it on. A gateway that npm did not start (systemd, Docker, \`nohup\`) goes on without the process that started it.

## Stop and drain
1. \`SHUTDOWN_DRAIN\`: \`/readyz\` answers 503 at once, and everything else goes on, new connections too. Balancers have this long to look away. Kubernetes looks every \`periodSeconds\` times \`failureThreshold\`.
2. \`SHUTDOWN_SPREAD\`: the ports are closed, and devices are told to go one after the other: \`closing\` with code \`draining\`. It ends early when no device is left.
3. \`SHUTDOWN_TIMEOUT\`: the stop. Devices that are left hear \`closing\` with code \`shutdown\`, and records go to Kafka or to the spool. Then the process ends.

SIGTERM and \`POST /drain\` begin with the first step, SIGINT with the third. \`reconnect_after_ms\` brings devices back over 5 ms for each of them, at least 5 s and at most 5 minutes, in the order in which they left. So whoever gets them next has no storm. \`terminationGracePeriodSeconds\` of Kubernetes and \`TimeoutStopSec\` of systemd have to be longer than the three settings together, and 5 s more: with \`SHUTDOWN_DRAIN=15s\`, \`SHUTDOWN_SPREAD=20s\` and \`SHUTDOWN_TIMEOUT=10s\` at least 50 s ([each way of deployment](deployment.md#how-long-a-stop-takes)).

\`\`\`sh
curl -X POST -H "Authorization: Bearer $HTTP_TOKEN" http://127.0.0.1:9108/drain
curl -X POST -H "Authorization: Bearer $HTTP_TOKEN" 'http://127.0.0.1:9108/log-level?level=debug'
\`\`\`
A drain ends the process with exit code 0, and there is no way back. \`POST /log-level\` counts for all processes until the next start. Both need [HTTP_TOKEN](security.md#the-admin-port), on loopback too.

## The directory of the spool
A relative \`SPOOL_DIR\` is below the working directory and is created with all that is missing above it. An absolute one mostly lies on a disk of its own, so the directory above it must exist: if it is missing, the disk may not be mounted, and the start is refused. It is also refused if /etc/fstab has a disk at or above the directory, nothing is mounted there, and no spool is in it. If the directory itself is new, a warning says on which disk it was created. The first lines of the log show directory, disk, limit and free space. The file \`lock\` in it has the pid of the process that holds the lock, the pid to stop, the host, and on Linux the namespace of these pids.

## Secrets in files
Each setting that is a secret can come from a file instead: \`KAFKA_SASL_PASSWORD_FILE=/run/secrets/kafka\` in place of \`KAFKA_SASL_PASSWORD\`. The content is the value, without the line feed at its end. If both are set, or the file is empty or cannot be read, the start is refused. The file is read again when it changes, and on SIGHUP (see [security](security.md#files-that-change)).

## Examples
\`\`\`ini
# a broker elsewhere, with encryption and login
KAFKA_BROKERS=kafka-1.example.net:9093,kafka-2.example.net:9093
KAFKA_SSL=true
# only if the brokers' certificates are of an authority of your own
KAFKA_SSL_CA=/etc/sluice/kafka-ca.pem
KAFKA_SASL_MECHANISM=scram-sha-512
KAFKA_SASL_USERNAME=sluice
KAFKA_SASL_PASSWORD_FILE=/run/secrets/kafka

# devices with TLS and tokens only, behind two proxies
TCP_PORT=
TCP_TLS_PORT=8443
TCP_TLS_CERT=/etc/sluice/cert.pem
TCP_TLS_KEY=/etc/sluice/key.pem
TCP_TOKENS_FILE=/etc/sluice/tokens
TCP_PROXY_PROTOCOL=on
TCP_PROXY_TRUSTED=10.0.0.7,10.0.0.8

# the admin port for other machines: /stats needs the token
HTTP_HOST=0.0.0.0
HTTP_ALLOWED_HOSTS=sluice.example.net
HTTP_TOKEN_FILE=/run/secrets/sluice-http

# a large fleet with a batch timeout of its own
PROFILE=large
KAFKA_BATCH_TIMEOUT=50ms

# no admin HTTP, no dead letters
HTTP_PORT=
KAFKA_TOPIC_DEAD_LETTERS=
\`\`\`
`;

function settingRow(name: SettingName): string[] {
  const { default: byDefault, allowed, description, empty } = aboutSetting(name);
  const meaning = [description];
  if (empty !== undefined) meaning.push(`empty = ${empty}`);
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
A name that begins with \`TCP_\`, \`KAFKA_\`, \`SPOOL_\`, \`HTTP_\`, \`STATS_\` or \`SHUTDOWN_\` must be a setting. Variables of other programs with such names are ignored. If they come from Kafka's world, one line of the log names them, because a file that several programs share may have them:
${FOREIGN_NAMES.map(({ why }) => `- ${why}`).join('\n')}

A name without such a beginning that is one slip away from a setting, such as \`LOG_LEVL\` or \`PROFIL\`, may belong to another program. It gets a warning and has no effect.

A Kubernetes service called \`tcp\` or \`http\` sets \`TCP_PORT\` or \`HTTP_PORT\` to a wrong value, which is a problem. Set \`enableServiceLinks: false\` in the pod's specification.
`;
}

export function envExample(): string {
  const sections = settingGroups.map(
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
