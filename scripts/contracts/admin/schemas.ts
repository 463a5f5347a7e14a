// The schemas of all JSON that the admin port takes and gives, by the names in src/admin/operations.ts. Each is held to the
// type of the page that makes it.
import { z } from 'zod';
import type { ConnectionsPage } from '../../../src/admin/connections.ts';
import { CONNECTION_ORDERS, CONNECTION_STATES } from '../../../src/admin/connections.ts';
import type { HealthPage, ReadinessPage } from '../../../src/admin/health-pages.ts';
import { COLUMNS } from '../../../src/admin/live/columns.ts';
import { MAX_SAMPLES } from '../../../src/admin/live/history.ts';
import type { ListedProcess } from '../../../src/admin/live/live.ts';
import type { BodyName } from '../../../src/admin/operations.ts';
import type { RefusalsPage } from '../../../src/admin/refusals-page.ts';
import type { ProcessesPage } from '../../../src/admin/routes.ts';
import type { Session } from '../../../src/admin/session.ts';
import type { TapStreamEvent } from '../../../src/admin/tap/stream.ts';
import { LOG_LEVELS } from '../../../src/config/settings.ts';
import { RECONNECT_AFTER_MS } from '../../../src/inspect/connections/kick.ts';
import { CONNECTION_SORTS, MAX_ROWS } from '../../../src/inspect/connections/page.ts';
import { CLOSE_REASONS } from '../../../src/protocol/close-reasons.ts';
import { CLOSING_CODES, type ClosingCode, CODE_NAMES } from '../../../src/protocol/codes.ts';
import { MAX_LINE_BYTES as MAX_SAMPLE_BYTES } from '../../../src/tap/refusal-samples.ts';
import { MAX_LINE_BYTES } from '../../../src/tap/tap.ts';
import { ofAll, ofProcess, readiness, state, withProcesses } from './figures-schema.ts';
import { schemaOf } from './same-type.ts';
import { count, missing, names, time, words } from './words.ts';

const deviceText = (about: string) =>
  z
    .string()
    .nullable()
    .describe(`${about} Exactly the text of the device: never show it as HTML or to a terminal as it is.`);

const connections = schemaOf<ConnectionsPage>()(
  z.object({
    connections: z
      .array(
        z.object({
          connection_id: z.string().describe('Also in the records and in the log.'),
          device_id: deviceText('Null until the device has identified, and if it has none.'),
          address: z.string().describe('Of the device, also behind a proxy that names it.'),
          zipcode: deviceText('Null until the device has identified.'),
          city: deviceText('Null until the device has identified.'),
          stage: words({
            proxy: 'waits for a PROXY header',
            place: 'waits for its place, or for the rate of its address',
            tls: 'in its TLS handshake',
            identify: 'has not identified',
            identified: 'has identified',
            lines: 'sends plain lines',
            closing: 'the last reply is on its way, or it is closed',
          }),
          tls: z.boolean().describe('It came to the TLS port.'),
          since: time().describe('When it was served, or before that when it was accepted.'),
          age_ms: z.int().describe('Since then. Of a closed connection, how long it was open.'),
          bytes: count().describe('Received bytes.'),
          lines: count().describe('Received lines.'),
          refused: count().describe('Refused lines.'),
          bytes_per_second: count().describe(
            'Over about the last second, or since the question before (up to 10 s). Of a closed connection over its life.',
          ),
          lines_per_second: z.number().min(0).describe('As bytes_per_second.'),
          paused: z.array(
            words({
              queue_full: 'its next line found no room in the queue',
              line_before: 'its next line waits for the one before',
              replies_unread: 'the device does not read its replies',
              slowed: 'it has used up its budget of refused lines, or a rate',
              memory: 'the memory for lines is nearly used up, and it holds much of it',
              stopping: 'the gateway stops',
              departing: 'it is told to go, and its lines are finished first',
              resuming: 'it waits for the seq that is stored for its device',
            }).meta({ title: 'Why it is not read at present' }),
          ),
          last_code: names([...CODE_NAMES, ...(Object.keys(CLOSING_CODES) as ClosingCode[])])
            .nullable()
            .describe('Of the last error or closing reply.'),
          closed_at: time().optional().describe('Only of a closed connection.'),
          reason: names(CLOSE_REASONS)
            .optional()
            .describe(
              'Only of a closed connection: a reason of `sluice_connections_closed_total` (docs/metrics.md).',
            ),
          process: count().describe('The number of its server process.'),
        }),
      )
      .max(MAX_ROWS),
    state: names(CONNECTION_STATES).describe('As asked for.'),
    sort: names(CONNECTION_SORTS).describe('As asked for, or the usual one.'),
    order: names(CONNECTION_ORDERS).describe('As asked for, or the usual one.'),
    matching: count().describe('Connections that the parameters describe, of the processes that answered.'),
    total: count().describe('All connections in this state, of the processes that answered.'),
    next: z.string().nullable().describe('The parameter `after` of the next page; null on the last one.'),
    missing: missing(),
  }),
);

const refusals = schemaOf<RefusalsPage>()(
  z.object({
    refusals: z.array(
      z.object({
        code: names(CODE_NAMES),
        count: count().describe('Exact, also if `last` is a second old under an attack.'),
        last: z
          .object({
            at: time(),
            process: count(),
            connection_id: z.string(),
            device_id: deviceText('Null before identify, and if the device has none.'),
            address: z.string(),
            message: z.string().describe('As the device was told.'),
            line: z
              .string()
              .nullable()
              .describe(
                `The start of the line, at most ${MAX_SAMPLE_BYTES} bytes. Tokens are hidden, control characters written as \\u001b. Null if the code belongs to no line, such as \`inactive\`.`,
              ),
            line_bytes: count().nullable(),
          })
          .nullable()
          .describe('Null if no connection was served yet, as with `server_full`.'),
      }),
    ),
    missing: missing(),
  }),
);

const session = schemaOf<Session>()(
  z.object({
    login: words({
      needed: 'to read anything',
      'not needed': 'to read, because the port is on loopback; but for changes',
      done: 'this request has the token or a login',
    }),
    canLogIn: z.boolean().describe('False if HTTP_TOKEN is not set: nobody can log in.'),
    mayRead: z.boolean().describe('This request, with its cookie or header.'),
    mayChange: z.boolean().describe('This request, with its cookie or header.'),
    expiresAt: time().nullable().describe('When the login ends; null without one.'),
    processes: z.array(count()).describe('The numbers for `?process=`.'),
  }),
);

const ready = schemaOf<ReadinessPage>()(
  z.object({
    ready: z.boolean(),
    reasons: z.array(z.string()).optional().describe('Absent if it is ready.'),
    otherTopics: z
      .array(z.string())
      .optional()
      .describe('Why records of topics that no setting names wait. They do not change the status.'),
  }),
);

const health = schemaOf<HealthPage>()(
  z.object({
    status: state,
    ready: readiness.shape.ready,
    reasons: readiness.shape.reasons,
    components: z
      .record(
        z.string(),
        z.object({
          state,
          finding: z.string().describe('A name of docs/operations.md.'),
          reason: z.string().optional().describe('Only for those who may read /stats.'),
          remedy: z.string().nullable().optional().describe('As reason; null if nobody has to do anything.'),
        }),
      )
      .describe('By id.'),
    version: z.string(),
    at: time(),
  }),
);

const processes = schemaOf<ProcessesPage>()(
  z.object({
    processes: z.array(
      z.object({
        index: count(),
        pid: count(),
        node: z.string().describe('The version of Node, as `22.11.0`.'),
        uptimeSeconds: z.number().min(0),
        heapTotalBytes: count(),
        externalBytes: count(),
        arrayBuffersBytes: count(),
      }),
    ),
    missing: missing(),
  }),
);

const orNull = <T extends z.ZodType>(schema: T) => schema.nullable();

const listed = schemaOf<ListedProcess>()(
  z.object({
    index: count(),
    pid: orNull(count()),
    answers: z.boolean(),
    connections: orNull(count()),
    linesReceived: orNull(count()),
    recordsConfirmed: orNull(count()),
    kafkaBufferBytes: orNull(count()),
    cpuSeconds: orNull(z.number().min(0)),
    residentBytes: orNull(count()),
    eventLoopLagP99Seconds: orNull(z.number().min(0)),
  }),
);

const everyColumn = (schema: z.ZodType) =>
  z.object(Object.fromEntries(COLUMNS.map((column) => [column, schema])));

const reason = {
  code: z.string().optional().describe('Of a refused line: the code that the device was told.'),
  message: z.string().optional().describe('As the device was told.'),
  reason: z
    .string()
    .optional()
    .describe(
      'The name that Kafka gives the error, if it refused the record of a line that had been accepted.',
    ),
};
const FATES = {
  accepted: 'a reading; another fate of the same `id` follows',
  answered: 'an identify, a keepalive or a question for the time, which make no record',
  refused: 'with `code` and `message`; also with `reason` if Kafka refused the record later',
  stored: 'Kafka has confirmed it',
  spooled: 'it is synced to the disk, so the device is told `stored`; it is sent to Kafka later',
} as const;
const id = () => z.string().describe('Of the line: its process and a number.');

const tapEvent = schemaOf<TapStreamEvent>()(
  z.union([
    z.object({
      event: z.literal('begin'),
      limit_per_second: count(),
      seconds: count(),
      processes: z.array(count()),
    }),
    z.object({
      event: z.literal('line'),
      id: id(),
      at: time(),
      process: count(),
      connection_id: z.string(),
      device_id: deviceText('Null before identify, and if the device has none.'),
      address: z.string(),
      zipcode: deviceText('Null until the device has identified.'),
      bytes: count().describe('Of the whole line.'),
      line: z.string().describe(`At most ${MAX_LINE_BYTES} bytes; tokens and control characters are hidden.`),
      fate: words(FATES),
      ...reason,
    }),
    z.object({
      event: z.literal('fate'),
      id: id(),
      fate: words(FATES),
      after_ms: z.number().min(0).describe('Since the line was received.'),
      ...reason,
    }),
    z
      .object({ event: z.literal('fate'), id: id(), fate: z.literal('unknown') })
      .describe('The process of the line ended before its fate was known.'),
    z
      .object({ event: z.literal('passed_over'), lines: count() })
      .describe('Lines that fit the filters and are not shown. Every 5 s at least.'),
    z
      .object({ event: z.literal('missing'), processes: z.array(count()) })
      .describe('Processes that do not answer, whenever that changes.'),
    z.object({
      event: z.literal('end'),
      reason: words({
        stopping: 'the gateway stops',
        login: 'the token or cookie no longer counts',
        time: 'the time of the tap is over',
      }),
      undecided: count().describe('Accepted lines whose fate is not known.'),
    }),
  ]),
);

const level = () => names(LOG_LEVELS);
const milliseconds = z.int().min(RECONNECT_AFTER_MS.min).max(RECONNECT_AFTER_MS.max);

export const SCHEMAS: Readonly<Record<BodyName, z.ZodType>> = {
  Connections: connections.describe('Open or recently closed connections.'),
  Draining: z.object({ draining: z.boolean() }),
  EventsEnd: z.object({
    reason: words({ stopping: 'the gateway stops', login: 'the token or cookie no longer counts' }),
  }),
  Figures: withProcesses(z.array(listed)).describe('The figures of the whole gateway, and its processes.'),
  FiguresOfProcess: ofProcess,
  Health: health,
  History: z.object({
    process: count().nullable().describe('Null for all together.'),
    everyMs: count(),
    samples: everyColumn(z.array(z.number().nullable()).max(MAX_SAMPLES)).describe(
      'The last 15 minutes. All columns have one length, oldest first.',
    ),
  }),
  Kick: z
    .object({
      connection_id: z.string().min(1).optional(),
      device_id: z.string().min(1).optional(),
      address: z.string().min(1).optional(),
      reconnect_after_ms: z
        .union([milliseconds, z.string().regex(/^[0-9]{1,9}$/)])
        .optional()
        .describe('What the device is told. In a form it is a text.'),
    })
    .describe('Exactly one of connection_id, device_id and address.'),
  Kicked: z.object({
    kicked: count().describe('Connections that were told to go.'),
    missing: missing(),
  }),
  LogLevel: z.object({ level: level() }),
  LogLevelChange: z.object({ level: z.string().describe(`One of ${LOG_LEVELS.join(', ')}, in any case.`) }),
  LogLevelChanged: z.object({ level: level(), before: level() }),
  Login: z.object({ token: z.string().describe('HTTP_TOKEN.') }),
  Processes: processes,
  Readiness: ready,
  Refusals: refusals,
  Sample: everyColumn(z.number().nullable()).describe('One more sample, with the same keys.'),
  Session: session,
  Stats: ofAll,
  TapEvent: tapEvent,
};
