// Checks the figures of a running gateway, at any moment: the balance, and the limits of its settings. It shares no code
// with the gateway.
import type { Findings } from './findings.ts';

/** The part of the gateway's snapshot that is checked. Sizes are in bytes. */
export interface CheckedFigures {
  readonly connections: { readonly bufferBytes: number };
  readonly lines: {
    readonly received: number;
    readonly accepted: number;
    readonly refusedLines: number;
    readonly waiting: number;
  };
  readonly queue: { readonly depth: number };
  readonly records: {
    readonly accepted: number;
    readonly recovered: number;
    readonly open: number;
    readonly inFlight: number;
    readonly spooled: number;
    readonly confirmed: number;
    readonly deadLettered: number;
    readonly damaged: number;
    readonly abandoned: number;
  };
  readonly kafka: { readonly bufferBytes: number };
  readonly spool: { readonly bytes: number };
  readonly deadLetters: { readonly bytes: number };
}

/** Sizes are in bytes, for all processes together. */
export interface Limits {
  readonly deviceBufferBytes: number;
  readonly kafkaBufferBytes: number;
  readonly queueJobs: number;
  /** That there may be, or have been a moment ago. */
  readonly connections: number;
  readonly spoolBytes: number;
  readonly deadBytes: number;
}

export function checkFigures(figures: CheckedFigures, limits: Limits, wrong: Findings): void {
  const { lines, records, connections, queue, kafka, spool, deadLetters } = figures;
  const lineGap = lines.received - lines.accepted - lines.refusedLines - lines.waiting;
  if (lineGap !== 0)
    wrong.add('balance of lines', `${lineGap} lines of ${JSON.stringify(lines, countsOnly)}`);
  const came = records.accepted + records.recovered;
  const held = records.open + records.inFlight + records.spooled;
  const gone = records.confirmed + records.deadLettered + records.damaged + records.abandoned;
  if (came !== held + gone)
    wrong.add('balance of records', `${came - held - gone} records of ${JSON.stringify(records)}`);
  const negative = Object.entries({ ...records, waiting: lines.waiting }).find(([, count]) => !(count >= 0));
  if (negative !== undefined) wrong.add('balance of records', `${negative[0]} is ${negative[1]}`);

  const over = (name: string, bytes: number, limit: number) =>
    bytes > limit || !(bytes >= 0) ? `${name}: ${bytes}, at most ${limit}` : undefined;
  const memory = [
    over('bytes of connections', connections.bufferBytes, limits.deviceBufferBytes),
    over('bytes of unconfirmed records', kafka.bufferBytes, limits.kafkaBufferBytes),
    // One line of each connection may come on top, also of one that has just ended.
    over('jobs in the queue', queue.depth, limits.queueJobs + limits.connections),
  ];
  for (const text of memory) if (text !== undefined) wrong.add('more memory than its settings allow', text);
  const disk = [
    over('bytes of the spool', spool.bytes, limits.spoolBytes),
    over('bytes of dead letters', deadLetters.bytes, limits.deadBytes),
  ];
  for (const text of disk) if (text !== undefined) wrong.add('more disk than its settings allow', text);
}

/** Leaves out histograms and tables, which the counts do not need. */
const countsOnly = (name: string, value: unknown) =>
  typeof value === 'number' || name === '' ? value : undefined;
