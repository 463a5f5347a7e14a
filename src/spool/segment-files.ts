// Owns the segment files of an open log: appends to the newest, begins new ones and deletes the oldest. It never reads
// batches and does not know what Kafka has acknowledged.
//
// - A batch is durable once append() resolved with `sync: 'batch'`.
// - After a failed append no batch of it may be found by recovery, because the same batches are written again.
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { refuseShortWrite, syncDirectory } from '../disk/durable-file.ts';
import { FILE_MODE } from '../disk/owner-only.ts';
import type { Histogram } from '../measure/histogram.ts';
import { readHeader } from './batch-header.ts';
import { moveAside, newSegment, type Segment, syncSegment } from './recovery.ts';
import type { SegmentReader } from './segment-reader.ts';
import type { SpoolCap } from './spool-cap.ts';

export interface SegmentFilesOptions {
  readonly directory: string;
  /** The offset of the next record. */
  readonly nextOffset: number;
  /** A new segment begins before one would exceed this size. */
  readonly segmentBytes: number;
  /** Gets back bytes that were deleted, or taken and then not written. */
  readonly cap: SpoolCap;
  /** Gets the seconds of each sync. */
  readonly syncTimes?: Histogram | undefined;
}

export interface AppendOptions {
  /** `batch` = fdatasync before the append resolves, `os` = leave it to the kernel. */
  readonly sync: 'batch' | 'os';
  /** Takes this many bytes of the spool's cap. If it throws, nothing is written. */
  readonly take: (bytes: number) => void | Promise<void>;
}

export class SegmentFiles {
  readonly #options: SegmentFilesOptions;
  #directory: string;
  #segments: Segment[];
  #nextOffset: number;
  #active: { segment: Segment; file: FileHandle } | undefined;
  #appending: Promise<void> | undefined;
  // A segment was deleted, and a power cut may bring it back.
  #isUnlinkVolatile = false;

  /** @param segments the recovered segments, oldest first */
  constructor(segments: Segment[], options: SegmentFilesOptions) {
    this.#options = options;
    this.#directory = options.directory;
    this.#segments = segments;
    this.#nextOffset = options.nextOffset;
  }

  get directory(): string {
    return this.#directory;
  }

  /** Oldest first. */
  get all(): readonly Segment[] {
    return this.#segments;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /**
   * Writes the batches with one write and one sync. On failure none of them was added: the file is cut back, and after
   * anything but a full disk the next append begins a new segment.
   * @throws the error of `take`, or the system's error (ENOSPC, EIO, ...)
   */
  async append(batches: readonly Buffer[], { sync, take }: AppendOptions): Promise<void> {
    const append = async (): Promise<void> => {
      const bytes = batches.reduce((sum, batch) => sum + batch.length, 0);
      await take(bytes);
      await this.#write(batches, bytes, sync).catch((error: unknown) => {
        this.#options.cap.release(bytes);
        throw error;
      });
    };
    this.#appending = append();
    try {
      await this.#appending;
    } finally {
      this.#appending = undefined;
    }
  }

  /**
   * Deletes the segments whose records all lie below `offset`. The cursor must be written before: then a crash in
   * between leaves a file that the next start passes over.
   */
  async deleteBelow(offset: number, reader: SegmentReader): Promise<void> {
    while (this.#segments[0] !== undefined && this.#segments[0].end <= offset) {
      const segment = this.#segments[0];
      const active = this.#active?.segment === segment ? this.#active : undefined;
      // The file being written is deleted only if it is all there is, so that an empty spool takes no space.
      if (active && (this.#nextOffset !== offset || this.#appending !== undefined)) return;
      if (segment.bytes === 0) return;
      // Before the first await: an append that begins meanwhile must not find this file.
      this.#segments.shift();
      if (active) this.#active = undefined;
      await active?.file.close().catch(() => undefined);
      await reader.closeIfOn(segment);
      await this.#syncUnlinks();
      if (segment.unreadable) await moveAside(segment.path);
      else await unlink(segment.path).catch(() => undefined);
      this.#isUnlinkVolatile = true;
      this.#options.cap.release(segment.bytes);
    }
  }

  /** Syncs the segments with records below `offset`, which may never have been synced. @throws the system's error */
  async syncUpTo(offset: number): Promise<void> {
    for (const segment of this.#segments) {
      if (segment.base >= offset) return;
      await syncSegment(segment).catch((error: unknown) => {
        // The reader has passed over an unreadable segment, which must not hold up later segments.
        if (!segment.unreadable) throw error;
      });
    }
  }

  /** Renames the log's folder, not durably yet. No segment may be open for reading. @throws the system's error */
  async rename(directory: string): Promise<void> {
    await this.#active?.file.close();
    this.#active = undefined;
    if (directory === this.#directory) return;
    await rename(this.#directory, directory);
    this.#directory = directory;
    for (const segment of this.#segments) segment.path = join(directory, basename(segment.path));
  }

  async close(): Promise<void> {
    await this.#appending?.catch(() => undefined);
    await this.#active?.file.close();
    this.#active = undefined;
    // Whoever deletes the log deletes its cursor too. A segment that came back after that would be sent again.
    await this.#syncUnlinks();
  }

  async #write(batches: readonly Buffer[], bytes: number, sync: 'batch' | 'os'): Promise<void> {
    const { segment, file } = await this.#activeSegment(bytes);
    let offset = this.#nextOffset;
    for (const batch of batches) {
      batch.writeBigInt64BE(BigInt(offset), 0);
      offset += readHeader(batch, 0)?.count ?? 0;
    }
    try {
      const { bytesWritten } = await file.writev([...batches], segment.bytes);
      refuseShortWrite(bytesWritten, bytes);
      if (sync === 'batch') await this.#sync(file);
    } catch (error) {
      await this.#cutBack(segment, file, (error as NodeJS.ErrnoException).code);
      throw error;
    }
    const [first] = batches;
    if (segment.bytes === 0 && first !== undefined)
      segment.oldestMs = readHeader(first, 0)?.maxTimestampMs ?? 0;
    segment.bytes += bytes;
    segment.end = offset;
    this.#nextOffset = offset;
  }

  async #sync(file: FileHandle): Promise<void> {
    const startMs = performance.now();
    await file.datasync();
    this.#options.syncTimes?.record((performance.now() - startMs) / 1000);
  }

  async #cutBack(segment: Segment, file: FileHandle, code: string | undefined): Promise<void> {
    const isCut = await file.truncate(segment.bytes).then(
      () => true,
      () => false,
    );
    if (isCut && (code === 'ENOSPC' || code === 'EDQUOT')) return;
    // After a failed sync nobody knows which pages the kernel still has, so this file is not written to again.
    await file.close().catch(() => undefined);
    this.#active = undefined;
    if (segment.bytes > 0) return;
    this.#segments = this.#segments.filter((other) => other !== segment);
    await unlink(segment.path).catch(() => undefined);
  }

  async #activeSegment(bytes: number): Promise<{ segment: Segment; file: FileHandle }> {
    const active = this.#active;
    if (active && (active.segment.bytes === 0 || active.segment.bytes + bytes <= this.#options.segmentBytes))
      return active;
    const base = this.#nextOffset;
    const path = join(this.#directory, `${String(base).padStart(20, '0')}.log`);
    const file = await open(path, 'w+', FILE_MODE);
    try {
      await syncDirectory(this.#directory);
      this.#isUnlinkVolatile = false;
    } catch (error) {
      // The next try creates the name again: a later sync need not save a name that a failed one covered.
      await unlink(path).catch(() => undefined);
      await file.close();
      throw error;
    }
    await active?.file.close();
    const segment = newSegment(base, path);
    this.#segments.push(segment);
    this.#active = { segment, file };
    return this.#active;
  }

  // If a power cut brought back a segment but not the next segment, the cursor would point outside of the log's
  // records, and all of them would be sent again.
  async #syncUnlinks(): Promise<void> {
    if (this.#isUnlinkVolatile) await syncDirectory(this.#directory).catch(() => undefined);
    this.#isUnlinkVolatile = false;
  }
}
