// Looks at a spool directory from outside, also beside a running gateway: takes no lock, writes nothing, and
// takes it that files grow and vanish meanwhile. Knows the file formats only by way of the files that own them.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readCursor } from './cursor.ts';
import { type LogKind, logName, logsIn } from './names.ts';
import { deadLettersDirectory, partsIn } from './parts.ts';
import { type Found, scanSegment } from './segment-scan.ts';

export interface LogPlace {
  /** Index of the process whose part of the spool it is (parts.ts). */
  readonly process: number;
  readonly kind: 'readings' | 'dead letters';
  /** Of the readings. Dead letters have the name that their logs go by. */
  readonly topic: string;
  readonly log: LogKind;
  /** The partition, or which of the gone logs it is (names.ts). */
  readonly number: number;
  readonly directory: string;
}

export interface SegmentFile {
  readonly path: string;
  /** Offset of its first record. */
  readonly base: number;
  /** Where the next segment begins; Infinity for the last one, which may be growing. */
  readonly nextBase: number;
}

export interface SetAside {
  readonly path: string;
  readonly bytes: number;
}

/**
 * Every log that has a directory here or in a process's part of it, by process, topic, kind and number; dead letters
 * follow the readings of their process.
 * @throws the system's error if the directory cannot be read
 */
export async function listLogs(directory: string): Promise<LogPlace[]> {
  const places = await listPart(directory, 0);
  for (const part of partsIn(directory)) {
    places.push(...((await unlessGone(listPart(part.directory, part.index))) ?? []));
  }
  return places;
}

async function listPart(directory: string, process: number): Promise<LogPlace[]> {
  const letters = await unlessGone(
    listKind(deadLettersDirectory(directory), { process, kind: 'dead letters' }),
  );
  return [...(await listKind(directory, { process, kind: 'readings' })), ...(letters ?? [])];
}

async function listKind(
  directory: string,
  { process, kind }: Pick<LogPlace, 'process' | 'kind'>,
): Promise<LogPlace[]> {
  const logs = await logsIn(directory);
  return logs.map((log) => ({
    process,
    kind,
    topic: log.topic,
    log: log.kind,
    number: log.number,
    directory: join(directory, logName(log)),
  }));
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

/** Damaged bytes that recovery put into files of their own. */
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
  return (await unlessGone(stat(path)))?.size;
}

/** The offset below which everything is in Kafka. Undefined without a valid cursor. */
export async function readAcknowledged({ directory }: LogPlace): Promise<number | undefined> {
  return (await readCursor(join(directory, 'cursor')))?.acknowledged;
}

/**
 * The segment's content, as recovery would see it: batches that were written once more into the next segment are left
 * out, and a segment that has vanished has none.
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
    if (!isGone(error)) throw error;
  }
}

/** Where sending would begin: a cursor that points outside of the log's records says nothing (spool-log.ts). */
export function sendingFrom(acknowledged: number | undefined, first: number, end: number): number {
  return acknowledged === undefined || acknowledged < first || acknowledged > end ? first : acknowledged;
}

async function namesIn(directory: string): Promise<string[]> {
  return (await unlessGone(readdir(directory))) ?? [];
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
