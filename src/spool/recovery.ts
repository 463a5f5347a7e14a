// Repairs the segment files of a log at a start: cuts off unfinished writes and sets damaged bytes aside. Damage never
// stops a start. Memory is bounded by the scan's window, whatever the size of the log.
import { type FileHandle, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { refuseShortWrite, syncDirectory, withFile } from '../disk/durable-file.ts';
import type { BatchHeader } from './batch-header.ts';
import { isProcessLimit, reasonOf, type Unreadable } from './read-errors.ts';
import { scanSegment, segmentBase } from './segment-scan.ts';

export interface Segment {
  readonly base: number;
  path: string;
  bytes: number;
  /** The offset after the last record. */
  end: number;
  oldestMs: number;
  /** The disk failed to read some of it, or damage could not be copied aside. The file is moved aside, never deleted. */
  unreadable: boolean;
}

interface Found {
  cutBytes: number;
  badBatches: number;
  badRecords: number;
  readonly unreadable: Unreadable[];
}

/**
 * Repairs the segments in a log's directory and reports them, oldest first.
 * @throws the system's error if the directory cannot be read, or if the process reaches one of its limits
 */
export async function recoverSegments(directory: string) {
  const names = (await readdir(directory)).filter((name) => /^\d{20}\.log$/.test(name)).sort();
  const found: Found = { cutBytes: 0, badBatches: 0, badRecords: 0, unreadable: [] };
  const segments: Segment[] = [];
  // Newest first, because a segment ends where the next one that holds a batch begins.
  for (const name of names.reverse()) {
    const segment = await recoverSegment(join(directory, name), segments[0]?.base ?? Infinity, found);
    if (segment !== undefined) segments.unshift(segment);
  }
  return { segments, ...found };
}

/** Removes every batch from `offset` on, durably, the newest first. After a crash the next start removes the rest. */
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
 * Syncs the newest segment, which a process that was killed may have left unsynced. If a power cut took batches that
 * were sent from it, later batches would get their sequences.
 */
export async function syncNewest(segments: readonly Segment[]): Promise<void> {
  const newest = segments.at(-1);
  // A failing disk must not prevent the start.
  if (newest !== undefined) await syncSegment(newest).catch(() => undefined);
}

/** @throws the system's error */
export async function syncSegment({ path }: Segment): Promise<void> {
  await withFile(path, 'r', (file) => file.datasync());
}

/** The segment without the batches from `offset` on. */
async function startOf({ base, path, unreadable }: Segment, offset: number): Promise<Segment> {
  const start = { ...newSegment(base, path), unreadable };
  for await (const found of scanSegment(path)) {
    if (found.kind !== 'batch') continue;
    // The rest is cut off, so it need not be readable.
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

/** Undefined if the file holds no batch; then it is deleted or moved aside. */
async function recoverSegment(path: string, nextBase: number, counts: Found): Promise<Segment | undefined> {
  const base = segmentBase(path);
  const segment = newSegment(base, path);
  try {
    for await (const found of scanSegment(path)) {
      if (found.kind === 'tail' && !found.complete) {
        counts.cutBytes += found.bytes;
      } else if (segment.end >= nextBase || (found.kind === 'batch' && found.header.baseOffset >= nextBase)) {
        // Left from a failed sync, never confirmed, and written again into the next segment. The disk failed then and
        // may have hidden more from an earlier start, so the bytes are kept for a person to look at.
        counts.badBatches++;
        const restBytes = (await stat(path)).size - found.position;
        segment.unreadable = !(await copyAside(path, found.position, restBytes));
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
    // The disk failed: the file stays, and the batches that were read count.
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
 * Copies damaged bytes into a file of their own, durably, so that the segment may be cut or deleted afterwards. False if
 * that fails. A full disk must not prevent the start, so the segment then stays as it is.
 */
async function copyAside(path: string, position: number, bytes: number): Promise<boolean> {
  const target = `${path}.${position}.bad`;
  try {
    await withFile(path, 'r', (from) => withFile(target, 'w', (to) => copy(from, to, { position, bytes })));
    await syncDirectory(dirname(path));
    return true;
  } catch {
    await unlink(target).catch(() => undefined);
    return false;
  }
}

async function copy(
  from: FileHandle,
  to: FileHandle,
  { position, bytes }: { position: number; bytes: number },
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, bytes));
  for (let copied = 0; copied < bytes; ) {
    const length = Math.min(buffer.length, bytes - copied);
    const { bytesRead } = await from.read(buffer, 0, length, position + copied);
    if (bytesRead === 0) break;
    const { bytesWritten } = await to.write(buffer, 0, bytesRead, copied);
    refuseShortWrite(bytesWritten, bytesRead);
    copied += bytesRead;
  }
  await to.sync();
}

/** Renames a segment so that recovery ignores it and a person can look at it. It replaces no earlier such file. */
export async function moveAside(path: string): Promise<void> {
  const taken = new Set(await readdir(dirname(path)).catch(() => []));
  let name = `${basename(path)}.bad`;
  for (let n = 1; taken.has(name); n++) name = `${basename(path)}.again-${n}.bad`;
  await rename(path, join(dirname(path), name)).catch(() => undefined);
}

async function cut(path: string, bytes: number): Promise<void> {
  if (bytes === 0) return unlink(path);
  if ((await stat(path)).size === bytes) return;
  await withFile(path, 'r+', async (file) => {
    await file.truncate(bytes);
    await file.datasync();
  });
}
