// `sluice spool ls`: lists the logs of a spool with their sizes, readings and dead letters apart. It is quick because it
// reads only the first and the last segment of a log.

import { bytesText } from '../../config/amounts.ts';
import { table } from '../../config/text-table.ts';
import {
  bytesOf,
  type LogPlace,
  listLogs,
  listSegments,
  listSetAside,
  readAcknowledged,
  readSegment,
  type SegmentFile,
  sendingFrom,
} from '../../spool/inspect.ts';
import { jsonText } from '../json-text.ts';
import { ageText, partitionText, topicText } from './cells.ts';
import type { LsOptions } from './command.ts';

interface LogSummary extends Omit<LogPlace, 'directory'> {
  readonly segments: number;
  /** Records that Kafka has not acknowledged, damaged ones included. */
  readonly records: number;
  readonly bytes: number;
  /** When the oldest of these records came, milliseconds since 1970. */
  readonly oldestMs: number | null;
  /** Files with damaged bytes that were set aside. */
  readonly setAside: number;
  /** The offset up to which Kafka has the records; null if the cursor is missing or damaged. */
  readonly cursor: number | null;
  /** The offset after the last record. */
  readonly end: number;
}

export async function ls(directory: string, { json }: LsOptions): Promise<number> {
  const all: LogSummary[] = [];
  for (const place of await listLogs(directory)) all.push(await summarize(place));
  const found = {
    readings: all.filter(({ kind }) => kind === 'readings'),
    letters: all.filter(({ kind }) => kind === 'dead letters'),
  };
  process.stdout.write(json ? asJson(directory, found) : asText(directory, found));
  return 0;
}

async function summarize(place: LogPlace): Promise<LogSummary> {
  // The cursor is read first: it only rises, and a gateway deletes the segments below it.
  const cursor = await readAcknowledged(place);
  const segments: SegmentFile[] = [];
  let bytes = 0;
  for (const segment of await listSegments(place)) {
    const size = await bytesOf(segment.path);
    if (size === undefined) continue;
    segments.push(segment);
    bytes += size;
  }
  const first = segments[0]?.base ?? cursor ?? 0;
  const end = await endOf(segments.at(-1), first);
  const from = sendingFrom(cursor, first, end);
  const { directory: _, ...named } = place;
  return {
    ...named,
    segments: segments.length,
    records: end - from,
    bytes,
    oldestMs: from === end ? null : await timeOf(segments, from),
    setAside: (await listSetAside(place)).length,
    cursor: cursor ?? null,
    end,
  };
}

async function endOf(last: SegmentFile | undefined, otherwise: number): Promise<number> {
  if (last === undefined) return otherwise;
  let end = last.base;
  for await (const found of readSegment(last)) {
    if (found.kind === 'batch') end = found.header.baseOffset + found.header.count;
  }
  return end;
}

async function timeOf(segments: readonly SegmentFile[], offset: number): Promise<number | null> {
  for (const segment of segments.filter(({ nextBase }) => nextBase > offset)) {
    for await (const found of readSegment(segment)) {
      if (found.kind === 'batch' && found.header.baseOffset + found.header.count > offset)
        return found.header.maxTimestampMs;
    }
  }
  return null;
}

type Total = Pick<LogSummary, 'records' | 'bytes' | 'segments' | 'setAside' | 'oldestMs'>;

function totalOf(logs: readonly LogSummary[]): Total {
  const sum = (field: 'records' | 'bytes' | 'segments' | 'setAside') =>
    logs.reduce((total, log) => total + log[field], 0);
  const times = logs.flatMap(({ oldestMs }) => oldestMs ?? []);
  return {
    records: sum('records'),
    bytes: sum('bytes'),
    segments: sum('segments'),
    setAside: sum('setAside'),
    oldestMs: times.length === 0 ? null : Math.min(...times),
  };
}

interface FoundOnDisk {
  readonly readings: readonly LogSummary[];
  readonly letters: readonly LogSummary[];
}

function asJson(directory: string, { readings, letters }: FoundOnDisk): string {
  const readable = <T extends { oldestMs: number | null }>({ oldestMs, ...rest }: T) => ({
    ...rest,
    oldest: oldestMs === null ? null : new Date(oldestMs).toISOString(),
    ageSeconds: oldestMs === null ? 0 : Math.max(0, (Date.now() - oldestMs) / 1000),
  });
  const list = (logs: readonly LogSummary[]) => ({
    partitions: logs.map(({ kind: _, process, topic, log, number, ...rest }) => ({
      process,
      topic,
      log,
      partition: log === 'partition' ? number : null,
      ...(log === 'gone' && { number }),
      ...readable(rest),
    })),
    total: readable(totalOf(logs)),
  });
  const answer = { directory, ...list(readings), deadLetters: list(letters) };
  return `${jsonText(answer, 2)}\n`;
}

function asText(directory: string, { readings, letters }: FoundOnDisk): string {
  if (readings.length + letters.length === 0) return `nothing waits in ${directory}\n`;
  const tables = [readings, letters].filter((logs) => logs.length > 0).map(asTable);
  return tables.join('\n');
}

function asTable(logs: readonly LogSummary[]): string {
  const age = (oldestMs: number | null) => (oldestMs === null ? '-' : ageText(Date.now() - oldestMs));
  const total = totalOf(logs);
  const rows = [
    ['TOPIC', 'PARTITION', 'RECORDS', 'BYTES', 'SEGMENTS', 'OLDEST', 'CURSOR', 'SET ASIDE'],
    ...logs.map((one) => [
      topicText(one),
      partitionText(one),
      `${one.records}`,
      bytesText(one.bytes),
      `${one.segments}`,
      age(one.oldestMs),
      one.cursor === null ? 'none' : `${one.cursor}`,
      `${one.setAside}`,
    ]),
    [
      'total',
      '',
      `${total.records}`,
      bytesText(total.bytes),
      `${total.segments}`,
      age(total.oldestMs),
      '',
      `${total.setAside}`,
    ],
  ];
  return table(rows);
}
