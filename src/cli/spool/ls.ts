// `sluice spool ls`: what is on disk, by partition. Reads the ends of the logs only, so it is quick.
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
import { ageText, bytesText, partitionText, table } from './table.ts';

export interface PartitionSummary {
  /** Index of the process whose part of the spool it is. */
  readonly process: number;
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
  const partitions: PartitionSummary[] = [];
  for (const place of await listPartitions(directory)) partitions.push(await summarize(place));
  process.stdout.write(json ? asJson(directory, partitions) : asTable(directory, partitions));
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

function asJson(directory: string, partitions: readonly PartitionSummary[]): string {
  const readable = <T extends { oldestMs: number | null }>({ oldestMs, ...rest }: T) => ({
    ...rest,
    oldest: oldestMs === null ? null : new Date(oldestMs).toISOString(),
    ageSeconds: oldestMs === null ? 0 : Math.max(0, (Date.now() - oldestMs) / 1000),
  });
  const answer = {
    directory,
    partitions: partitions.map(readable),
    total: readable(totalOf(partitions)),
  };
  return `${JSON.stringify(answer, null, 2)}\n`;
}

function asTable(directory: string, partitions: readonly PartitionSummary[]): string {
  if (partitions.length === 0) return `nothing is waiting in ${directory}\n`;
  const age = (oldestMs: number | null) => (oldestMs === null ? '-' : ageText(Date.now() - oldestMs));
  const total = totalOf(partitions);
  const rows = [
    ['TOPIC', 'PARTITION', 'RECORDS', 'BYTES', 'SEGMENTS', 'OLDEST', 'CURSOR', 'SET ASIDE'],
    ...partitions.map((one) => [
      one.topic,
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
