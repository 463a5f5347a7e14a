// Looks at a spool directory from outside, also beside a running gateway: takes no lock, writes nothing, and
// takes it that files grow and vanish meanwhile. Knows the file formats only by way of the files that own them,
// but for the cursor's slots (cursor.ts), which that file opens for writing.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from '../protocol/crc32c.ts';
import { deadLettersDirectory, isPart, partsIn } from './parts.ts';
import { type Found, scanSegment } from './segment-scan.ts';

export interface PartitionPlace {
  /** Index of the process whose part of the spool it is (parts.ts). */
  readonly process: number;
  readonly kind: 'readings' | 'dead letters';
  /** Of the readings. Dead letters have the name that their logs go by. */
  readonly topic: string;
  readonly partition: number;
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
 * Every partition that has a directory here or in a process's part of it, by process, topic and number; dead letters
 * follow the readings of their process.
 * @throws the system's error where the directory cannot be read
 */
export async function listPartitions(directory: string): Promise<PartitionPlace[]> {
  const places = await listPart(directory, 0);
  for (const part of partsIn(directory)) {
    places.push(...((await unlessGone(listPart(part.directory, part.index))) ?? []));
  }
  return places;
}

async function listPart(directory: string, process: number): Promise<PartitionPlace[]> {
  const letters = await unlessGone(
    listKind(deadLettersDirectory(directory), { process, kind: 'dead letters' }),
  );
  return [...(await listKind(directory, { process, kind: 'readings' })), ...(letters ?? [])];
}

async function listKind(
  directory: string,
  { process, kind }: Pick<PartitionPlace, 'process' | 'kind'>,
): Promise<PartitionPlace[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries
    .filter(({ name }) => !isPart(name))
    .flatMap((entry) => {
      const match = /^([A-Za-z0-9._-]{1,249})-(\d{1,6})$/.exec(entry.name);
      if (match === null || !entry.isDirectory()) return [];
      return {
        process,
        kind,
        topic: match[1] as string,
        partition: Number(match[2]),
        directory: join(directory, entry.name),
      };
    })
    .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
}

export async function listSegments({ directory }: PartitionPlace): Promise<SegmentFile[]> {
  const names = (await namesIn(directory)).filter((name) => /^\d{20}\.log$/.test(name)).sort();
  const bases = names.map((name) => Number(name.slice(0, 20)));
  return names.map((name, index) => ({
    path: join(directory, name),
    base: bases[index] as number,
    nextBase: bases[index + 1] ?? Infinity,
  }));
}

/** Damaged bytes that recovery put into files of their own. */
export async function listSetAside({ directory }: PartitionPlace): Promise<SetAside[]> {
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

/** Undefined where the file has vanished. */
export async function bytesOf(path: string): Promise<number | undefined> {
  return (await unlessGone(stat(path)))?.size;
}

const SLOT_BYTES = 64;
const CRC_AT = 60;

/** The offset below which everything is in Kafka, by the newer of the cursor's valid slots. */
export async function readAcknowledged({ directory }: PartitionPlace): Promise<number | undefined> {
  const file = await unlessGone(readFile(join(directory, 'cursor')));
  if (file === undefined) return undefined;
  const slots = [0, SLOT_BYTES].flatMap((at) => {
    const slot = file.subarray(at, at + SLOT_BYTES);
    if (slot.length < SLOT_BYTES || slot.readUInt32BE(CRC_AT) !== crc32c(slot.subarray(0, CRC_AT))) return [];
    return { number: slot.readDoubleBE(0), acknowledged: slot.readDoubleBE(8) };
  });
  return slots.sort((a, b) => b.number - a.number)[0]?.acknowledged;
}

/**
 * What the segment holds, as recovery would see it: what was written once more into the next segment is left
 * out, and one that has vanished holds nothing.
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

/** Where sending would begin: a cursor that points outside of what is there says nothing (spool-log.ts). */
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
