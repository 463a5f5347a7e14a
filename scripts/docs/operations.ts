// Builds docs/operations.md from the tables of log lines, alerts and the components' states. main.ts writes the file.

import { timeText } from '../../src/config/amounts.ts';
import type { Finding } from '../../src/health/component.ts';
import { COMPONENTS } from '../../src/health/findings.ts';
import type { Line } from '../../src/log/line.ts';
import { AREAS, type EventName } from '../../src/log/lines.ts';
import { textTable } from './markdown.ts';
import { alertsSection } from './queries.ts';

export function operationsPage(): string {
  const areas = Object.entries<Readonly<Record<string, Line>>>(AREAS).map(
    ([title, lines]) =>
      `## ${title}\n${debugLast(Object.entries(lines))
        .map(([event, line]) => lineSection(event, line))
        .join('\n')}`,
  );
  return `<!-- Generated from src/log/lines, src/health/findings.ts and scripts/monitoring/alerts by \`npm run docs\`. Do not edit. -->
${INTRODUCTION}
${storiesSection()}
${alertsSection()}
${componentsSection()}
${areas.join('\n')}`;
}

const INTRODUCTION = `# Operations
Each line that the gateway can write to its log and each [alert](#alerts), with its meaning and what to type. To find a line, search this page for its name (\`event\` in JSON) or for words of its text. Other pages: [settings](configuration.md), [figures](metrics.md), [what an answer of Kafka means](delivery-guarantees.md#what-an-answer-of-kafka-means), [security](security.md).

## How to read the log
The log goes to standard output. \`LOG_FORMAT\` chooses the form: \`pretty\` for people, \`json\` for programs; \`auto\`, the default, is \`pretty\` on a terminal and \`json\` everywhere else. The same line in both:
\`\`\`text
[01:59:13.402] WARN: Connection refused: server full {"event":"connections_refused","reason":"the server has as many connections as it takes","count":312}
{"level":"warn","time":"2026-11-28T01:59:13.402Z","pid":71,"hostname":"gw-1","event":"connections_refused","reason":"the server has as many connections as it takes","count":312,"msg":"Connection refused: server full"}
\`\`\`
- \`event\` is the name of the line. Names do not change, so build alerts on them, and never on the text. In the form for people, lines of levels debug and info have no name, and no field is there twice.
- \`process\` is the number of the server process, if there are several; a line without it is of the first process, which speaks for all.
- Commands on this page that begin with \`sluice\` are \`npx sluice\` in the folder of an installed package, and \`node dist/src/main.js\` in a checkout, in the directory where the gateway runs. Those that begin with \`kafka-\` are in the folder \`bin\` of Kafka, and each needs \`--bootstrap-server HOST:PORT\` too, with a login also \`--command-config FILE\`.
- Fields in milliseconds end with \`Ms\`. An error is in \`err\`, with its stack.
- Bytes of devices cannot forge a line or a colour: control characters are escaped. Secrets and tokens are replaced by \`(hidden)\`.

| level | meaning | what to do |
|---|---|---|
| \`fatal\` | the process has ended or could not start | now |
| \`error\` | something does not work until somebody acts, or records are affected | now |
| \`warn\` | the gateway copes, and may not for ever; or a device was refused | today |
| \`info\` | a state has begun or is over | nothing |
| \`debug\` | each connection and each refused line | for a search; switch it off again |

\`LOG_LEVEL\` is the lowest level that is written. \`curl -X POST -H "Authorization: Bearer $HTTP_TOKEN" 'localhost:9108/log-level?level=debug'\` changes it until the next start, in all processes. Lines that can come often are limited: the first is written at once, then at most one in the time that this page names, with the latest fields and \`count\`, the number of times since the line before. If nobody reads standard output, up to 1 MiB of lines wait, then lines are lost and counted; the gateway never waits for its log.

Useful at night, with the log in a file or from \`journalctl -u sluice -o cat\`:
\`\`\`sh
jq -c 'select(.level=="error" or .level=="fatal")' sluice.log           # what needs somebody
jq -r 'select(.level!="info") | .event' sluice.log | sort | uniq -c      # which lines, and how often
jq -r 'select(.event=="statistics") | [.time, .msg] | @tsv' sluice.log   # the figures over time
\`\`\`
`;

function debugLast(lines: readonly (readonly [string, Line])[]): readonly (readonly [string, Line])[] {
  const isDebug = ([, { level }]: readonly [string, Line]) => level === 'debug';
  return [...lines.filter((line) => !isDebug(line)), ...lines.filter(isDebug)];
}

/** A table for each component. Remedies are parts of sentences there, because readiness and log put them behind a reason. */
function componentsSection(): string {
  const tables = Object.entries(COMPONENTS).map(([name, { about, findings }]) => {
    const rows = Object.entries<Finding>(findings).map(
      ([finding, { state, meaning, look = '', remedy = '' }]) => [
        `\`${finding}\``,
        state,
        meaning,
        look,
        remedy,
      ],
    );
    return `### Component \`${name}\`\n${about}\n\n${textTable(['finding', 'state', 'meaning', 'look', 'do'], rows)}\n`;
  });
  return `## States of components\n${COMPONENTS_INTRODUCTION}\n${tables.join('\n')}`;
}

const STORIES: readonly {
  readonly about: string;
  readonly events: readonly EventName[];
  readonly advice: string;
}[] = [
  {
    about: 'Kafka cannot be used',
    events: [
      'kafka_outage_began',
      'kafka_outage_continues',
      'kafka_returned',
      'backlog_draining',
      'kafka_outage_over',
    ],
    advice:
      'Devices are served and nothing is lost. Once a minute the log says how much waits and how long the disk lasts. Bring Kafka back before that, or make space. After the last line nothing waits any more.',
  },
  {
    about: 'The spool or its disk fills up',
    events: [
      'component_degraded',
      'component_failed',
      'devices_paused',
      'devices_resumed',
      'component_recovered',
    ],
    advice:
      'First a warning at four fifths, then an error when nothing more fits. Devices are paused and nothing is dropped. Make space on the disk, or bring Kafka back: it goes on by itself.',
  },
  {
    about: 'A restart, also one of several gateways after the other',
    events: [
      'drain_began',
      'departures_began',
      'stop_began',
      'stopped',
      'spool_placed',
      'spool_recovered',
      'tcp_listening',
    ],
    advice:
      'The first two lines come only with `SHUTDOWN_DRAIN` or `SHUTDOWN_SPREAD`, or after `POST /drain`. `stopped` has the balance. What it names as in the spool is what `spool_recovered` finds at the next start. `stopped_hard` instead says how many readings are lost.',
  },
  {
    about: 'A server process hangs or crashes',
    events: [
      'component_degraded',
      'process_hung',
      'process_crashed',
      'process_returned',
      'component_recovered',
    ],
    advice: 'It is started again by itself. Its devices come back, and what it had on disk is taken up.',
  },
  {
    about: 'An attack, or devices gone wrong',
    events: [
      'connections_refused',
      'protocol_wrong',
      'device_lines_refused',
      'memory_overloaded',
      'token_unknown',
      'tls_handshake_late',
    ],
    advice:
      'Each line comes at most once in 10 s, with the newest address and the number of times. The gateway protects itself and good devices are served. Close the port to the addresses, or correct the devices. The statistics count all refusals by code, also those without a line of their own, such as `identify_timeout`; `LOG_LEVEL=debug` shows each connection.',
  },
];

function storiesSection(): string {
  const rows = STORIES.map(({ about, events, advice }) => [
    about,
    events.map((event) => `\`${event}\``).join(', '),
    advice,
  ]);
  return `## What happens, and the lines that tell it\n${textTable(['what happens', 'lines, in their order', 'what it means, what to do'], rows)}\n`;
}

const COMPONENTS_INTRODUCTION = `\`curl -s localhost:9108/health\` has the state of each component with its finding, reason and remedy as JSON, added up over all processes. \`curl -s 'localhost:9108/readyz?verbose'\` says the same in words. The log has a line when a component gets worse and one when it is well again, with the finding in \`finding\`.
`;

function lineSection(event: string, line: Line): string {
  const { level, text, fields = {}, once, everyMs, meaning, look, remedy } = line;
  const names = [
    ...Object.keys(fields).filter((name) => fields[name] !== 'words'),
    ...(everyMs ? ['count'] : []),
  ];
  const facts = [
    names.length > 0 && `Fields: ${names.map((name) => `\`${name}\``).join(', ')}.`,
    once && 'Written once for all server processes.',
    everyMs && `At most one in ${timeText(everyMs)}.`,
  ].filter((fact) => typeof fact === 'string');
  return `### \`${event}\` (${level})
> \`${text}\`

${[...facts, meaning].join(' ')}
${look === undefined ? '' : `- Look: ${look}\n`}${remedy === undefined ? '' : `- Do: ${remedy}\n`}`;
}
