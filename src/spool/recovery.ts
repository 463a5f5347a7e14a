// What a start does with the segment files it finds: cuts off what was never finished, sets damage aside, and never
// refuses. Memory is bounded by the scan's window, however much there is.
import { type FileHandle, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BatchHeader } from './batch-header.ts';
import { FILE_MODE } from './owner-only.ts';
import { isProcessLimit, reasonOf, type Unreadable } from './read-errors.ts';
import { scanSegment, segmentBase } from './segment-scan.ts';
import { refuseShortWrite } from './short-write.ts';
import { syncDirectory } from './sync-directory.ts';

export interface Segment {
  readonly base: number;
  path: string;
  bytes: number;
  /** The offset after its last record. */
  end: number;
  oldestMs: number;
  /** The disk did not give all of it back, or damage in it could not be copied aside: never deleted, only put away. */
  unreadable: boolean;
}

interface Found {
  cutBytes: number;
  badBatches: number;
  badRecords: number;
  readonly unreadable: Unreadable[];
}

/**
 * Repairs the segments of a log's directory and says what it found, oldest first.
 * @throws the system's error if the directory cannot be read, or if the process lacks what it needs to read it
 */
export async function recoverSegments(directory: string) {
  const names = (await readdir(directory)).filter((name) => /^\d{20}\.log$/.test(name)).sort();
  const found: Found = { cutBytes: 0, badBatches: 0, badRecords: 0, unreadable: [] };
  const segments: Segment[] = [];
  // Backwards, because a segment ends where the next one that holds something begins.
  for (const name of names.reverse()) {
    const segment = await recoverSegment(join(directory, name), segments[0]?.base ?? Infinity, found);
    if (segment !== undefined) segments.unshift(segment);
  }
  return { segments, ...found };
}

/** Removes every batch from `offset` on, durably, the newest first. A crash on the way leaves less to remove. */
export async function cutSegments(segments: Segment[], offset: number): Promise<void> {
  for (let last = segments.at(-1); last !== undefined && last.end > offset; last = segments.at(-1)) {
    const kept = last.base < offset ? await startOf(last, offset) : newSegment(last.base, last.path);
    await cut(last.path, kept.bytes);
    if (kept.bytes > 0) {
      Object.assign(last, kept);
      return;
    }
    await syncDirectory(dirname(last.path));
    segments.pop();
  }
}

/**
 * Syncs the newest segment: a process that was killed may have written to it and not synced that. What is sent from it
 * must not be missing after a power cut, or the rest would be sent under the same sequence.
 */
export async function syncNewest(segments: readonly Segment[]): Promise<void> {
  const newest = segments.at(-1);
  // A disk that fails must not keep the gateway from starting.
  if (newest !== undefined) await syncSegment(newest).catch(() => undefined);
}

/** @throws the system's error */
export async function syncSegment({ path }: Segment): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** The segment as it is without the batches from `offset` on. */
async function startOf({ base, path, unreadable }: Segment, offset: number): Promise<Segment> {
  const start = { ...newSegment(base, path), unreadable };
  for await (const found of scanSegment(path)) {
    if (found.kind !== 'batch') continue;
    // What lies behind is cut off, whether the disk gives it back or not.
    if (found.header.baseOffset >= offset) break;
    addBatch(start, found.position, found.header);
  }
  return start;
}

function addBatch(segment: Segment, position: number, header: BatchHeader): void {
  if (segment.oldestMs === 0) segment.oldestMs = header.maxTimestampMs;
  segment.end = header.baseOffset + header.count;
  segment.bytes = position + header.bytes;
}

export function newSegment(base: number, path: string): Segment {
  return { base, path, bytes: 0, end: base, oldestMs: 0, unreadable: false };
}

/** Undefined if the file holds no batch; it is deleted then. */
async function recoverSegment(path: string, nextBase: number, counts: Found): Promise<Segment | undefined> {
  const base = segmentBase(path);
  const segment = newSegment(base, path);
  try {
    for await (const found of scanSegment(path)) {
      if (found.kind === 'tail' && !found.complete) {
        counts.cutBytes += found.bytes;
      } else if (segment.end >= nextBase || (found.kind === 'batch' && found.header.baseOffset >= nextBase)) {
        // Written, not confirmed, and written once more into the next segment. A disk that failed then may
        // have hidden more from an earlier start, so it is kept for somebody to look at.
        counts.badBatches++;
        segment.unreadable = !(await copyAside(
          path,
          found.position,
          (await stat(path)).size - found.position,
        ));
        break;
      } else if (found.kind === 'batch') {
        const { header } = found;
        counts.badRecords += header.baseOffset - segment.end;
        addBatch(segment, found.position, header);
      } else {
        counts.badBatches++;
        if (!(await copyAside(path, found.position, found.bytes))) segment.unreadable = true;
      }
    }
  } catch (error) {
    if (isProcessLimit(error)) throw error;
    // The disk does not give it back: the file stays, and the batches that were read are kept.
    counts.badBatches++;
    segment.unreadable = true;
    const to = nextBase === Infinity ? null : nextBase;
    counts.unreadable.push({ path, from: segment.end, to, reason: reasonOf(error) });
  }
  if (nextBase !== Infinity && segment.bytes > 0) counts.badRecords += Math.max(0, nextBase - segment.end);
  if (segment.unreadable && segment.bytes === 0) await moveAside(path);
  else if (!segment.unreadable) await cut(path, segment.bytes).catch(() => undefined);
  return segment.bytes > 0 ? segment : undefined;
}

const COPY_BYTES = 2 ** 20;

/**
 * Copies damaged bytes into a file of their own, durably: the segment may be cut or deleted afterwards. False if that
 * is not possible. A full disk must not keep the gateway from starting, so the segment then has to stay.
 */
async function copyAside(path: string, position: number, bytes: number): Promise<boolean> {
  const target = `${path}.${position}.bad`;
  try {
    const from = await open(path, 'r');
    try {
      await copy(from, target, { position, bytes });
    } finally {
      await from.close();
    }
    await syncDirectory(dirname(path));
    return true;
  } catch {
    await unlink(target).catch(() => undefined);
    return false;
  }
}

async function copy(
  from: FileHandle,
  target: string,
  { position, bytes }: { position: number; bytes: number },
): Promise<void> {
  const to = await open(target, 'w', FILE_MODE);
  try {
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, bytes));
    for (let copied = 0; copied < bytes; ) {
      const { bytesRead } = await from.read(
        buffer,
        0,
        Math.min(buffer.length, bytes - copied),
        position + copied,
      );
      if (bytesRead === 0) break;
      const { bytesWritten } = await to.write(buffer, 0, bytesRead, copied);
      refuseShortWrite(bytesWritten, bytesRead);
      copied += bytesRead;
    }
    await to.sync();
  } finally {
    await to.close();
  }
}

/** Puts a file out of the way of recovery, for somebody to look at. What was put away before stays. */
export async function moveAside(path: string): Promise<void> {
  const taken = new Set(await readdir(dirname(path)).catch(() => []));
  let name = `${basename(path)}.bad`;
  for (let n = 1; taken.has(name); n++) name = `${basename(path)}.again-${n}.bad`;
  await rename(path, join(dirname(path), name)).catch(() => undefined);
}

async function cut(path: string, bytes: number): Promise<void> {
  if (bytes === 0) return unlink(path);
  if ((await stat(path)).size === bytes) return;
  const file = await open(path, 'r+');
  try {
    await file.truncate(bytes);
    await file.datasync();
  } finally {
    await file.close();
  }
}
