// The one table of all log lines, by area. Nothing else in src may write to the log: `log.write('topic_created', fields)`
// takes the level and the text from here, and the compiler checks the fields. docs/operations.md is generated from it.
//
// To add a line: put it into the file of its area in src/log/lines, as { level, text, fields, meaning, remedy }. Its name
// is in the past tense (`kafka_outage_began`) and stays the same for ever, as alerts are built on it. The text names the
// event, its effect on the data and the remedy. test/log/lines.test.ts holds that each line is whole and used.
import type { LineFields } from './line.ts';
import { ADMIN_LINES } from './lines/admin.ts';
import { DEVICE_LINES } from './lines/devices.ts';
import { FILE_LINES } from './lines/files.ts';
import { HEALTH_LINES } from './lines/health.ts';
import { KAFKA_LINES } from './lines/kafka.ts';
import { PRESENCE_LINES } from './lines/presence.ts';
import { PROCESS_LINES } from './lines/processes.ts';
import { SPOOL_LINES } from './lines/spool.ts';
import { START_LINES } from './lines/start.ts';
import { STOP_LINES } from './lines/stop.ts';

/** In the order of docs/operations.md. */
export const AREAS = {
  'Start and settings': START_LINES,
  Stop: STOP_LINES,
  Kafka: KAFKA_LINES,
  'Spool and disk': SPOOL_LINES,
  Devices: DEVICE_LINES,
  Presence: PRESENCE_LINES,
  'Health of components': HEALTH_LINES,
  'Server processes': PROCESS_LINES,
  'Certificates, tokens and passwords': FILE_LINES,
  'Admin port and statistics': ADMIN_LINES,
} as const;

export const LINES = {
  ...START_LINES,
  ...STOP_LINES,
  ...KAFKA_LINES,
  ...SPOOL_LINES,
  ...DEVICE_LINES,
  ...PRESENCE_LINES,
  ...HEALTH_LINES,
  ...PROCESS_LINES,
  ...FILE_LINES,
  ...ADMIN_LINES,
} as const;

export type EventName = keyof typeof LINES;
export type FieldsOf<E extends EventName> = LineFields<(typeof LINES)[E]>;

/** The lines whose number is limited. */
export type LimitedEvent = {
  [E in EventName]: (typeof LINES)[E] extends { readonly everyMs: number } ? E : never;
}[EventName];
