// One log of the spool: Kafka log segment files that hold the batches as they would have been sent, in order.
//
// - `<first offset, 20 digits>.log`: batches one after the other, readable by kafka-dump-log.sh. The base offset, which
//   no checksum covers, counts the log's own records. Kafka assigns its own when it takes the batch.
// - `cursor`: how far records are in Kafka, or in other logs (cursor.ts).
// - `*.bad`: damaged bytes that recovery set aside. They are never sent; `sluice spool rm` removes them.
// - A segment ends where the next one begins. Batches beyond that are left from a failed sync and were written again
//   into the next segment.
// - A batch is durable once append() resolved. It is deleted only after Kafka acknowledged it, or after its records are
//   durable in other logs (chunk-copy.ts).
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Assignment, Cursor, type CursorState, NEW_CURSOR } from './cursor.ts';
import { FOLDER_MODE } from './owner-only.ts';
import { cutSegments, recoverSegments, type Segment, syncNewest } from './recovery.ts';
import { SegmentFiles } from './segment-files.ts';
import { type ReaderOptions, SegmentReader, type SpooledBatch } from './segment-reader.ts';
import { syncDirectory } from './sync-directory.ts';

export interface SpoolLogOptions {
  readonly directory: string;
  /** The next segment begins before one would have more bytes than that. */
  readonly segmentBytes: number;
  /** `batch` = fdatasync before an append resolves, `os` = leave it to the kernel. */
  readonly sync: 'batch' | 'os';
  /** The setting that limits the spool, for the message of SpoolFullError; SPOOL_MAX_BYTES if left out. */
  readonly capSetting?: string;
  /** Awaited before bytes are added; if it rejects, nothing is. */
  readonly beforeAppend?: (bytes: number) => Promise<void>;
  /** Asked before bytes are added; false = the spool's cap is reached. */
  readonly reserve: (bytes: number) => boolean;
  /** Told of bytes that are on disk whether the cap allows them or not: found at the start, or copies. */
  readonly claim: (bytes: number) => void;
  /** Told when bytes were deleted. */
  readonly release: (bytes: number) => void;
  /** What happens if a segment cannot be read any more. */
  readonly reading?: ReaderOptions;
  /** Batches from this offset on belong to a copy that was not finished, and are removed when the log is opened. */
  readonly cutAt?: number | undefined;
}

export interface Recovered {
  readonly records: number;
  readonly bytes: number;
  /** Bytes of unfinished writes that were cut off. */
  readonly cutBytes: number;
  /** Damaged places that were set aside, and the records known to be missing because of them. */
  readonly badBatches: number;
  readonly badRecords: number;
}

/** The spool's cap does not allow more; nothing was written. */
export class SpoolFullError extends Error {
  readonly code = 'SPOOL_FULL';
}

export class SpoolLog {
  readonly #options: SpoolLogOptions;
  readonly #cursor: Cursor;
  readonly #files: SegmentFiles;
  readonly #reader: SegmentReader;
  // While batches are copied into the log, those from here on are neither counted nor read.
  #hiddenFrom: number | undefined;
  // An earlier process's assignment covers what that process left, and ends here.
  #inheritedEnd: number | undefined;
  #isCursorStale = false;

  private constructor(options: SpoolLogOptions, cursor: Cursor, segments: Segment[], acknowledged: number) {
    const { directory, segmentBytes, release } = options;
    const nextOffset = segments.at(-1)?.end ?? acknowledged;
    this.#options = options;
    this.#cursor = cursor;
    this.#files = new SegmentFiles(segments, { directory, nextOffset, segmentBytes, release });
    this.#reader = new SegmentReader(() => this.#files.all, acknowledged, options.reading);
    this.#inheritedEnd = cursor.state?.assignment && nextOffset;
  }

  /**
   * Opens the log's files, repairs them and says what that found.
   * @throws the system's error if the directory cannot be used
   */
  static async open(options: SpoolLogOptions): Promise<{ log: SpoolLog; recovered: Recovered }> {
    await mkdir(options.directory, { recursive: true, mode: FOLDER_MODE });
    await syncNames(options.directory);
    const cursor = await Cursor.open(join(options.directory, 'cursor'));
    const { segments, unreadable, ...found } = await repair(options).catch(async (error: unknown) => {
      // Opening is tried again and again.
      await cursor.close();
      throw error;
    });
    const first = segments[0]?.base ?? cursor.state?.acknowledged ?? 0;
    const end = segments.at(-1)?.end ?? first;
    const wanted = cursor.state?.acknowledged ?? first;
    const acknowledged = firstToSend(wanted, cursor.state?.sendingEnd, { first, end });
    if (acknowledged !== cursor.state?.acknowledged) {
      // Synced, or after a power cut the old one would mean the new records that get the same offsets.
      await cursor
        .write({ ...NEW_CURSOR, acknowledged })
        .then(() => cursor.sync())
        .catch(() => undefined);
    }
    const log = new SpoolLog(options, cursor, segments, acknowledged);
    for (const lost of unreadable) options.reading?.unreadable?.(lost);
    for (const segment of segments) options.claim(segment.bytes);
    await log.#deleteAcknowledged(acknowledged);
    const bytes = log.bytes;
    return { log, recovered: { ...found, records: log.records, bytes } };
  }

  get directory(): string {
    return this.#files.directory;
  }

  /** The name of its folder. */
  get name(): string {
    return basename(this.directory);
  }

  /** Records not acknowledged by Kafka, damaged ones included until they are passed. */
  get records(): number {
    return this.#end - this.acknowledged;
  }

  /** Records from this offset on are neither read nor counted. */
  get #end(): number {
    return this.#hiddenFrom ?? this.nextOffset;
  }

  get bytes(): number {
    return this.#files.bytes;
  }

  get acknowledged(): number {
    return this.#cursor.state?.acknowledged ?? 0;
  }

  get nextOffset(): number {
    return this.#files.nextOffset;
  }

  /** Wall clock of the oldest unacknowledged segment's first batch, milliseconds since 1970. */
  get oldestMs(): number | undefined {
    return this.#files.all[0]?.oldestMs;
  }

  get assignment(): Assignment | undefined {
    return this.#cursor.state?.assignment;
  }

  /** The latest write of the cursor failed: the file may still have another assignment. */
  get isCursorStale(): boolean {
    return this.#isCursorStale;
  }

  /** The offset up to which all from `acknowledged` on is being sent as one batch, undefined if none is. */
  get sendingEnd(): number | undefined {
    return this.#cursor.state?.sendingEnd;
  }

  /** Batches below this offset may carry a producer identity of another cluster. */
  get foreignEnd(): number {
    return this.#state.foreignEnd;
  }

  /** Everything below was given out, or was damage. */
  get readOffset(): number {
    return this.#reader.offset;
  }

  /** Everything written has been given out for sending. */
  get isFullyRead(): boolean {
    return this.readOffset === this.#end;
  }

  /** Damaged places below `acknowledged` that were passed over since the start. */
  get badBatches(): number {
    return this.#reader.badBatches;
  }

  /** Records that are missing because of them. */
  get badRecords(): number {
    return this.#reader.badRecords;
  }

  /**
   * Adds batches with one write and one sync; afterwards they are durable. On failure nothing was added: the
   * file is cut back, and after anything but a full disk the next append begins a new segment.
   * @throws SpoolFullError at the cap, the system's error otherwise (ENOSPC, EIO, ...)
   */
  async append(batches: readonly Buffer[]): Promise<void> {
    await this.#append(batches, this.#options.sync, async (bytes) => {
      await this.#options.beforeAppend?.(bytes);
      if (!this.#options.reserve(bytes))
        throw new SpoolFullError(`${this.#options.capSetting ?? 'SPOOL_MAX_BYTES'} is reached`);
    });
  }

  /** Batches that are added from now on are neither counted nor read before reveal(). */
  hide(): void {
    this.#hiddenFrom = this.nextOffset;
  }

  reveal(): void {
    this.#hiddenFrom = undefined;
  }

  /**
   * Adds batches that are copies of others on disk. The cap does not matter to them: their originals leave the disk
   * for them. They are always synced, because the originals may have been for long.
   * @throws the system's error
   */
  async appendCopies(batches: readonly Buffer[]): Promise<void> {
    await this.#append(batches, 'batch', (bytes) => this.#options.claim(bytes));
  }

  async #append(
    batches: readonly Buffer[],
    sync: 'batch' | 'os',
    take: (bytes: number) => void | Promise<void>,
  ): Promise<void> {
    try {
      await this.#files.append(batches, { sync, take });
    } catch (error) {
      // A deletion that waited for this append may free the space that the next one needs.
      await this.#deleteAcknowledged(this.acknowledged);
      throw error;
    }
  }

  /** The next batch to send, or undefined if all has been read. A damaged one is passed over and counted. */
  async next(): Promise<SpooledBatch | undefined> {
    const batch = await this.#reader.next(this.#end);
    if (batch !== undefined) await this.#endInherited(batch.offset);
    // Nothing but damage is left, which nobody else can acknowledge.
    else if (this.#reader.damageFrom === this.acknowledged) await this.acknowledge(this.#reader.offset);
    return batch;
  }

  /** The batch behind the last one next() gave out, if it is whole and goes out as the same producer. */
  async peekAdjoining(end: number): Promise<SpooledBatch | undefined> {
    if (end === this.#inheritedEnd) return undefined;
    const batch = await this.#reader.peek(this.#end);
    return batch?.offset === end ? batch : undefined;
  }

  /** Sends from the last acknowledged batch on again. */
  rewind(): Promise<void> {
    return this.#reader.rewind(this.acknowledged);
  }

  /**
   * Remembers, durably, as which producer the unstamped batches from now on are sent; undefined = not decided yet.
   * One that came back after a power cut would give a sequence to a second batch.
   * @throws the system's error; then nothing must be sent under another number
   */
  async assign(assignment: Assignment | undefined): Promise<void> {
    this.#inheritedEnd = undefined;
    await this.#remember({ ...this.#state, assignment });
  }

  /**
   * Binds producer identities to a cluster, durably. If they were bound to another one, or to none, the assignment
   * and the identities in batches below `foreignEnd` are void: another cluster would take them for different batches.
   * @throws the system's error; then nothing must be sent
   */
  async bindTo(cluster: bigint, foreignEnd: number): Promise<void> {
    if (cluster !== 0n && this.#state.cluster === cluster) return;
    this.#inheritedEnd = undefined;
    const { acknowledged } = this.#state;
    await this.#remember({ ...NEW_CURSOR, acknowledged, cluster, foreignEnd });
  }

  /**
   * Remembers, durably, that all up to `end` is about to be sent as one batch: a later start cuts it the same way,
   * or the broker would not recognise it.
   * @throws the system's error; then it must not be sent
   */
  async setSendingEnd(end: number): Promise<void> {
    await this.#remember({ ...this.#state, sendingEnd: end });
  }

  /**
   * Everything below `offset` is in Kafka: it may be deleted.
   * @throws the system's error if the cursor cannot be written; the records count as acknowledged, and are deleted, all the same
   */
  async acknowledge(offset: number): Promise<void> {
    try {
      const written = this.#cursor.write({ ...this.#state, acknowledged: offset, sendingEnd: undefined });
      this.#reader.acknowledged(offset);
      await written;
    } finally {
      await this.#deleteAcknowledged(offset);
    }
  }

  /** Syncs the segments with records below `offset`, which may never have been synced. @throws the system's error */
  async syncUpTo(offset: number): Promise<void> {
    await this.#files.syncUpTo(offset);
  }

  /**
   * Everything below `offset` is on disk in other logs. Nothing is deleted, and `acknowledged` stays, before that is
   * durable; `done` runs in the same turn in which `acknowledged` changes.
   * @throws the system's error; then it does not count, and may be tried again
   */
  async acknowledgeCopied(offset: number, done: () => void): Promise<void> {
    await this.#cursor.commit({ ...this.#state, acknowledged: offset, sendingEnd: undefined });
    this.#reader.acknowledged(offset);
    done();
    await this.#deleteAcknowledged(offset);
  }

  /** Renames the log's folder, durably. @throws the system's error; then it may be tried again */
  async rename(directory: string): Promise<void> {
    // The reader opens files by their paths.
    await this.rewind();
    await this.#files.rename(directory);
    this.#cursor.moved(join(directory, 'cursor'));
    await syncDirectory(dirname(directory));
  }

  /**
   * Closes the log and removes its folder. False if something is in it that nobody has acknowledged, or that was set
   * aside: then it stays as it is.
   */
  async remove(): Promise<boolean> {
    const names = await readdir(this.directory);
    if (names.some((name) => name !== 'cursor')) return false;
    // A segment that a crash brings back without its cursor would be sent again.
    await syncDirectory(this.directory);
    await this.close();
    await rm(this.directory, { recursive: true, force: true });
    return true;
  }

  async close(): Promise<void> {
    await this.#reader.stop();
    await this.#files.close();
    await this.#cursor.sync().catch(() => undefined);
    await this.#cursor.close();
  }

  async #remember(state: CursorState): Promise<void> {
    this.#isCursorStale = true;
    await this.#cursor.write(state);
    await this.#cursor.sync();
    this.#isCursorStale = false;
  }

  get #state(): CursorState {
    return this.#cursor.state ?? NEW_CURSOR;
  }

  // This process's records do not continue an earlier process's sequence. If the last batches of that process were lost
  // from the disk, the broker would take these records for them.
  async #endInherited(offset: number): Promise<void> {
    if (this.#inheritedEnd === undefined || offset < this.#inheritedEnd) return;
    // It counts even if it cannot be written: nothing is sent before the next assignment is on disk.
    await this.assign(undefined).catch(() => undefined);
  }

  async #deleteAcknowledged(offset: number): Promise<void> {
    await this.#files.deleteBelow(offset, this.#reader);
  }
}

/**
 * Makes durable which files there are, the log's folder included. A process that was killed may have created or deleted
 * some and not synced that, and what a start decides by must not be taken back by a power cut.
 */
async function syncNames(directory: string): Promise<void> {
  for (const folder of [dirname(directory), directory]) await syncDirectory(folder).catch(() => undefined);
}

async function repair({ directory, cutAt = Number.POSITIVE_INFINITY }: SpoolLogOptions) {
  const recovered = await recoverSegments(directory);
  await cutSegments(recovered.segments, cutAt);
  await syncNewest(recovered.segments);
  return recovered;
}

// A cursor that points outside of the log's records says nothing: everything is sent again.
function firstToSend(
  acknowledged: number,
  sendingEnd: number | undefined,
  { first, end }: { first: number; end: number },
): number {
  if (acknowledged >= first && acknowledged <= end) return acknowledged;
  // Segments within what was being sent are deleted only once all of it is acknowledged.
  const wasAcknowledged =
    acknowledged < first && sendingEnd !== undefined && sendingEnd > first && sendingEnd <= end;
  return wasAcknowledged ? sendingEnd : first;
}
