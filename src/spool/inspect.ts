// Reads a spool directory for commands, also while a gateway runs. It takes no lock, writes nothing, and expects that
// files grow and vanish meanwhile.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readCursor } from './cursor.ts';
import { type LogKind, logName, logsIn } from './names.ts';
import { deadLettersDirectory, partsIn } from './parts.ts';
import { isMissing, unlessMissing } from './read-errors.ts';
import { type Found, scanSegment } from './segment-scan.ts';

export interface LogPlace {
  /** Index of the process that owns this part of the spool (parts.ts). */
  readonly process: number;
  readonly kind: 'readings' | 'dead letters';
  /** The topic of the readings; for dead letters DEAD_LETTERS_NAME. */
  readonly topic: string;
  readonly log: LogKind;
  /** The partition, or the `k` of a gone log (names.ts). */
  readonly number: number;
  readonly directory: string;
}

export interface SegmentFile {
  readonly path: string;
  /** Offset of its first record. */
  readonly base: number;
  /** The offset where the next segment begins; Infinity for the last segment, which may be growing. */
  readonly nextBase: number;
}

export interface SetAside {
  readonly path: string;
  readonly bytes: number;
}

/**
 * Every log in this directory and in the parts of processes below it, sorted by process, topic, kind and number. Dead
 * letters follow the readings of their process.
 * @throws the system's error if the directory cannot be read
 */
export async function listLogs(directory: string): Promise<LogPlace[]> {
  const places = await listPart(directory, 0);
  for (const part of partsIn(directory)) {
    places.push(...((await unlessMissing(listPart(part.directory, part.index))) ?? []));
  }
  return places;
}

async function listPart(directory: string, process: number): Promise<LogPlace[]> {
  const letters = await unlessMissing(
    listKind(deadLettersDirectory(directory), { process, kind: 'dead letters' }),
  );
  return [...(await listKind(directory, { process, kind: 'readings' })), ...(letters ?? [])];
}

async function listKind(
  directory: string,
  { process, kind }: Pick<LogPlace, 'process' | 'kind'>,
): Promise<LogPlace[]> {
  const logs = await logsIn(directory);
  return logs.map((log) => {
    const { topic, kind: ofLog, number } = log;
    return { process, kind, topic, log: ofLog, number, directory: join(directory, logName(log)) };
  });
}

export async function listSegments({ directory }: LogPlace): Promise<SegmentFile[]> {
  const names = (await namesIn(directory)).filter((name) => /^\d{20}\.log$/.test(name)).sort();
  const bases = names.map((name) => Number(name.slice(0, 20)));
  return names.map((name, index) => ({
    path: join(directory, name),
    base: bases[index] as number,
    nextBase: bases[index + 1] ?? Infinity,
  }));
}

/** The files `*.bad`, with the damaged bytes that recovery set aside. */
export async function listSetAside({ directory }: LogPlace): Promise<SetAside[]> {
  const names = (await namesIn(directory)).filter((name) => name.endsWith('.bad')).sort();
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      const bytes = await bytesOf(path);
      return bytes === undefined ? [] : [{ path, bytes }];
    }),
  );
  return found.flat();
}

/** Undefined if the file has vanished. */
export async function bytesOf(path: string): Promise<number | undefined> {
  return (await unlessMissing(stat(path)))?.size;
}

/** The offset up to which Kafka has the log's records. Undefined without a valid cursor. */
export async function readAcknowledged({ directory }: LogPlace): Promise<number | undefined> {
  return (await readCursor(join(directory, 'cursor')))?.acknowledged;
}

/**
 * The segment's content as recovery would see it, without batches that were written again into the next segment. A
 * segment that has vanished has no content.
 */
export async function* readSegment(
  { path, base, nextBase }: SegmentFile,
  fromByte = 0,
): AsyncGenerator<Found> {
  let end = base;
  try {
    for await (const found of scanSegment(path, { from: fromByte })) {
      if (end >= nextBase) return;
      if (found.kind === 'batch') {
        if (found.header.baseOffset >= nextBase) return;
        end = found.header.baseOffset + found.header.count;
      }
      yield found;
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

export interface Unacknowledged {
  /** The path of its segment. */
  readonly path: string;
  readonly found: Found;
  /** The first record that Kafka does not have, which may be in the middle of the batch. */
  readonly from: number;
}

/** The content of all segments of a log, oldest first, without batches that Kafka has. */
export async function* readUnacknowledged(place: LogPlace): AsyncGenerator<Unacknowledged> {
  const from = (await readAcknowledged(place)) ?? 0;
  for (const segment of await listSegments(place)) {
    if (segment.nextBase <= from) continue;
    for await (const found of readSegment(segment)) {
      const isKnown = found.kind === 'batch' && found.header.baseOffset + found.header.count <= from;
      if (!isKnown) yield { path: segment.path, found, from };
    }
  }
}

/** The offset where sending would begin. A cursor that points outside of the log's records is ignored (spool-log.ts). */
export function sendingFrom(acknowledged: number | undefined, first: number, end: number): number {
  return acknowledged === undefined || acknowledged < first || acknowledged > end ? first : acknowledged;
}

async function namesIn(directory: string): Promise<string[]> {
  return (await unlessMissing(readdir(directory))) ?? [];
}
