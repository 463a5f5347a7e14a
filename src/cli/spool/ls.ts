// `sluice spool ls`: what is on disk, by partition, readings and dead letters apart. Reads the ends of the logs only, so it is quick.
import {
  bytesOf,
  listPartitions,
  listSegments,
  listSetAside,
  type PartitionPlace,
  readAcknowledged,
  readSegment,
  type SegmentFile,
  sendingFrom,
} from '../../spool/inspect.ts';
import type { LsOptions } from './command.ts';
import { ageText, bytesText, partitionText, table, topicText } from './table.ts';

export interface PartitionSummary {
  /** Index of the process whose part of the spool it is. */
  readonly process: number;
  readonly kind: PartitionPlace['kind'];
  readonly topic: string;
  readonly partition: number;
  readonly segments: number;
  /** Not yet acknowledged by Kafka, damaged ones included. */
  readonly records: number;
  readonly bytes: number;
  /** When the oldest of them came, milliseconds since 1970. */
  readonly oldestMs: number | null;
  /** Damaged places in files of their own. */
  readonly setAside: number;
  /** Everything below this offset is in Kafka; null where the cursor is missing or damaged. */
  readonly cursor: number | null;
  /** The offset after the last record. */
  readonly end: number;
}

export async function ls(directory: string, { json }: LsOptions): Promise<number> {
  const all: PartitionSummary[] = [];
  for (const place of await listPartitions(directory)) all.push(await summarize(place));
  const found = {
    readings: all.filter(({ kind }) => kind === 'readings'),
    letters: all.filter(({ kind }) => kind === 'dead letters'),
  };
  process.stdout.write(json ? asJson(directory, found) : asText(directory, found));
  return 0;
}

export async function summarize(place: PartitionPlace): Promise<PartitionSummary> {
  // The cursor first: it only rises, and what it leaves behind is deleted.
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
  return {
    process: place.process,
    kind: place.kind,
    topic: place.topic,
    partition: place.partition,
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

interface Total {
  readonly records: number;
  readonly bytes: number;
  readonly segments: number;
  readonly setAside: number;
  readonly oldestMs: number | null;
}

function totalOf(partitions: readonly PartitionSummary[]): Total {
  const sum = (field: 'records' | 'bytes' | 'segments' | 'setAside') =>
    partitions.reduce((total, partition) => total + partition[field], 0);
  const times = partitions.flatMap(({ oldestMs }) => oldestMs ?? []);
  return {
    records: sum('records'),
    bytes: sum('bytes'),
    segments: sum('segments'),
    setAside: sum('setAside'),
    oldestMs: times.length === 0 ? null : Math.min(...times),
  };
}

interface FoundOnDisk {
  readonly readings: readonly PartitionSummary[];
  readonly letters: readonly PartitionSummary[];
}

function asJson(directory: string, { readings, letters }: FoundOnDisk): string {
  const readable = <T extends { oldestMs: number | null }>({ oldestMs, ...rest }: T) => ({
    ...rest,
    oldest: oldestMs === null ? null : new Date(oldestMs).toISOString(),
    ageSeconds: oldestMs === null ? 0 : Math.max(0, (Date.now() - oldestMs) / 1000),
  });
  const list = (partitions: readonly PartitionSummary[]) => ({
    partitions: partitions.map(({ kind: _, ...rest }) => readable(rest)),
    total: readable(totalOf(partitions)),
  });
  const answer = { directory, ...list(readings), deadLetters: list(letters) };
  return `${JSON.stringify(answer, null, 2)}\n`;
}

function asText(directory: string, { readings, letters }: FoundOnDisk): string {
  if (readings.length + letters.length === 0) return `nothing is waiting in ${directory}\n`;
  const tables = [readings, letters].filter((partitions) => partitions.length > 0).map(asTable);
  return tables.join('\n');
}

function asTable(partitions: readonly PartitionSummary[]): string {
  const age = (oldestMs: number | null) => (oldestMs === null ? '-' : ageText(Date.now() - oldestMs));
  const total = totalOf(partitions);
  const rows = [
    ['TOPIC', 'PARTITION', 'RECORDS', 'BYTES', 'SEGMENTS', 'OLDEST', 'CURSOR', 'SET ASIDE'],
    ...partitions.map((one) => [
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
  return table(rows, ['TOPIC']);
}
