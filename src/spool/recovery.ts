// What a start does with the segment files it finds: cuts off what was never finished, sets damage aside, and never
// refuses. Memory is bounded by the scan's window, however much there is.
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { scanSegment, segmentBase } from './segment-scan.ts';

export interface Segment {
  readonly base: number;
  readonly path: string;
  bytes: number;
  /** The offset after its last record. */
  end: number;
  newestMs: number;
  oldestMs: number;
  /** The disk did not give all of it back: never deleted, only put away. */
  unreadable: boolean;
}

/** Repairs the segments of a log's directory and says what it found, oldest first. */
export async function recoverSegments(directory: string) {
  const names = (await readdir(directory)).filter((name) => /^\d{20}\.log$/.test(name)).sort();
  const found = { cutBytes: 0, badBatches: 0, badRecords: 0 };
  const segments: Segment[] = [];
  // Backwards, because a segment ends where the next one that holds something begins.
  for (const name of names.reverse()) {
    const segment = await recoverSegment(join(directory, name), segments[0]?.base ?? Infinity, found);
    if (segment !== undefined) segments.unshift(segment);
  }
  return { segments, ...found };
}

export function newSegment(base: number, path: string): Segment {
  return { base, path, bytes: 0, end: base, newestMs: 0, oldestMs: 0, unreadable: false };
}

/** Undefined where the file holds no batch, and is gone. */
async function recoverSegment(
  path: string,
  nextBase: number,
  counts: { cutBytes: number; badBatches: number; badRecords: number },
): Promise<Segment | undefined> {
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
        await setAside(path, found.position, (await stat(path)).size - found.position);
        break;
      } else if (found.kind === 'batch') {
        const { header } = found;
        counts.badRecords += header.baseOffset - segment.end;
        if (segment.oldestMs === 0) segment.oldestMs = header.maxTimestampMs;
        segment.newestMs = header.maxTimestampMs;
        segment.end = header.baseOffset + header.count;
        segment.bytes = found.position + header.bytes;
      } else {
        counts.badBatches++;
        await setAside(path, found.position, found.bytes);
      }
    }
  } catch {
    // The disk does not give it back: the file stays, and what was read of it goes on its way.
    counts.badBatches++;
    segment.unreadable = true;
  }
  if (nextBase !== Infinity && segment.bytes > 0) counts.badRecords += Math.max(0, nextBase - segment.end);
  if (segment.unreadable && segment.bytes === 0) await putAway(path);
  else if (!segment.unreadable) await cut(path, segment.bytes).catch(() => undefined);
  return segment.bytes > 0 ? segment : undefined;
}

/** Copies damaged bytes into a file of their own. */
async function setAside(path: string, position: number, bytes: number): Promise<void> {
  const target = `${path}.${position}.bad`;
  try {
    await pipeline(
      createReadStream(path, { start: position, end: position + bytes - 1 }),
      createWriteStream(target),
    );
  } catch {
    // A full disk must not keep the gateway from starting; the count still tells.
    await unlink(target).catch(() => undefined);
  }
}

/** Puts a file out of the way of recovery, for somebody to look at. */
export async function putAway(path: string): Promise<void> {
  await rename(path, `${path}.bad`).catch(() => undefined);
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
