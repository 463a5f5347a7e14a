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
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncDirectory } from '../disk/durable-file.ts';
import { FOLDER_MODE } from '../disk/owner-only.ts';
import type { Histogram } from '../measure/histogram.ts';
import { type Assignment, Cursor, type CursorState, NEW_CURSOR } from './cursor.ts';
import { cutSegments, recoverSegments, type Segment, syncNewest } from './recovery.ts';
import { SegmentFiles } from './segment-files.ts';
import { type ReaderOptions, SegmentReader, type SpooledBatch } from './segment-reader.ts';
import type { SpoolCap } from './spool-cap.ts';

/** Longer than a disk needs to recover from a moment without space or from a failing path. */
const CURSOR_PATIENCE_MS = 30_000;

export interface SpoolLogOptions {
  readonly directory: string;
  /** A new segment begins before one would exceed this size. */
  readonly segmentBytes: number;
  /** `batch` = fdatasync before an append resolves, `os` = leave it to the kernel. */
  readonly sync: 'batch' | 'os';
  /** Shared with other logs. Bytes found at the start, and copies, count even beyond it. */
  readonly cap: SpoolCap;
  /** Whether added bytes may exceed the cap for now. */
  readonly mayExceedCap?: () => boolean;
  /** Awaited before bytes are added. If it rejects, nothing is added. */
  readonly beforeAppend?: (bytes: number) => Promise<void>;
  readonly reading?: ReaderOptions;
  /** Gets the seconds of each sync of added batches. */
  readonly syncTimes?: Histogram | undefined;
  /** Batches from this offset on belong to an unfinished copy. They are removed when the log is opened. */
  readonly cutAt?: number | undefined;
}

export interface Recovered {
  readonly records: number;
  readonly bytes: number;
  /** Bytes of unfinished writes that were cut off. */
  readonly cutBytes: number;
  /** Damaged places that were set aside, and the records known to be missing there. */
  readonly badBatches: number;
  readonly badRecords: number;
}

/** The spool's cap is reached. Nothing was written. */
export class SpoolFullError extends Error {
  readonly code = 'SPOOL_FULL';
}

export class SpoolLog {
  readonly #options: SpoolLogOptions;
  readonly #cursor: Cursor;
  readonly #files: SegmentFiles;
  readonly #reader: SegmentReader;
  // While the latest write of the cursor has not succeeded: the first and the latest try in a row, performance.now().
  #stale: Tries | undefined;
  // While a copy runs, its batches begin here and are neither counted nor read.
  #hiddenFrom: number | undefined;
  // The end of the records that an earlier process left. Its assignment covers no record behind it.
  #inheritedEnd: number | undefined;

  private constructor(options: SpoolLogOptions, cursor: Cursor, segments: Segment[], acknowledged: number) {
    const { directory, segmentBytes, cap, syncTimes } = options;
    const nextOffset = segments.at(-1)?.end ?? acknowledged;
    this.#options = options;
    this.#cursor = cursor;
    this.#files = new SegmentFiles(segments, { directory, nextOffset, segmentBytes, cap, syncTimes });
    this.#reader = new SegmentReader(() => this.#files.all, acknowledged, options.reading);
    this.#inheritedEnd = cursor.state?.assignment && nextOffset;
  }

  /**
   * Opens the log's files and repairs them.
   * @throws the system's error if the directory cannot be used
   */
  static async open(options: SpoolLogOptions): Promise<{ log: SpoolLog; recovered: Recovered }> {
    const made = await mkdir(options.directory, { recursive: true, mode: FOLDER_MODE });
    if (made !== undefined) await keepName(options.directory);
    await syncNames(options.directory);
    const cursor = await Cursor.open(join(options.directory, 'cursor'));
    const { segments, unreadable, ...found } = await repair(options).catch(async (error: unknown) => {
      // The caller tries again, so the file must not stay open.
      await cursor.close();
      throw error;
    });
    const first = segments[0]?.base ?? cursor.state?.acknowledged ?? 0;
    const end = segments.at(-1)?.end ?? first;
    const wanted = cursor.state?.acknowledged ?? first;
    const acknowledged = firstToSend(wanted, cursor.state?.sendingEnd, { first, end });
    if (acknowledged !== cursor.state?.acknowledged) {
      // Synced: an old cursor that came back after a power cut would skip new records with the same offsets.
      await cursor
        .write({ ...NEW_CURSOR, acknowledged })
        .then(() => cursor.sync())
        .catch(() => undefined);
    }
    const log = new SpoolLog(options, cursor, segments, acknowledged);
    for (const lost of unreadable) options.reading?.unreadable?.(lost);
    for (const segment of segments) options.cap.claim(segment.bytes);
    await log.#deleteAcknowledged(acknowledged);
    const bytes = log.bytes;
    return { log, recovered: { ...found, records: log.records, bytes } };
  }

  get directory(): string {
    return this.#files.directory;
  }

  /** The name of the log's folder. */
  get name(): string {
    return basename(this.directory);
  }

  /** Records that Kafka has not acknowledged. Damaged ones count until the reader has passed them. */
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

  /** Bytes that append() takes now without reaching the cap. */
  get room(): number {
    const { cap, mayExceedCap } = this.#options;
    return mayExceedCap?.() ? Number.POSITIVE_INFINITY : cap.free;
  }

  get acknowledged(): number {
    return this.#cursor.state?.acknowledged ?? 0;
  }

  get nextOffset(): number {
    return this.#files.nextOffset;
  }

  /** Wall clock of the oldest segment's first batch, milliseconds since 1970. */
  get oldestMs(): number | undefined {
    return this.#files.all[0]?.oldestMs;
  }

  get assignment(): Assignment | undefined {
    return this.#cursor.state?.assignment;
  }

  /** The latest write of the cursor failed, so the file may still hold another assignment. */
  get isCursorStale(): boolean {
    return this.#stale !== undefined;
  }

  /**
   * The cursor is stale, and nothing may be sent before it is written. A disk that has taken no cursor for half a minute
   * may never take one again, and must not hold up Kafka.
   */
  get owesCursor(): boolean {
    return this.#stale !== undefined && !isGivenUp(this.#stale, performance.now());
  }

  /** Records from `acknowledged` up to this offset are being sent as one batch. */
  get sendingEnd(): number | undefined {
    return this.#cursor.state?.sendingEnd;
  }

  /** Batches below this offset may carry a producer identity of another cluster. */
  get foreignEnd(): number {
    return this.#state.foreignEnd;
  }

  /** Every record below this offset was given out or is damaged. */
  get readOffset(): number {
    return this.#reader.offset;
  }

  /** Every record was given out for sending. */
  get isFullyRead(): boolean {
    return this.readOffset === this.#end;
  }

  /** Damaged places below `acknowledged` that were skipped since the start. */
  get badBatches(): number {
    return this.#reader.badBatches;
  }

  /** Records that are missing in these damaged places. */
  get badRecords(): number {
    return this.#reader.badRecords;
  }

  /**
   * Adds batches with one write and one sync, after which they are durable. On failure nothing was added.
   * @throws SpoolFullError at the cap, else the system's error (ENOSPC, EIO, ...)
   */
  async append(batches: readonly Buffer[]): Promise<void> {
    const { sync, cap, mayExceedCap, beforeAppend } = this.#options;
    await this.#append(batches, sync, async (bytes) => {
      await beforeAppend?.(bytes);
      if (mayExceedCap?.()) cap.claim(bytes);
      else if (!cap.reserve(bytes)) throw new SpoolFullError(`${cap.setting} is reached`);
    });
  }

  /** Batches added from now on are neither counted nor read until reveal(). */
  hide(): void {
    this.#hiddenFrom = this.nextOffset;
  }

  reveal(): void {
    this.#hiddenFrom = undefined;
  }

  /**
   * Adds copies of batches that are on disk. They may exceed the cap, because their originals are deleted afterwards.
   * They are always synced, because their originals may be durable already.
   * @throws the system's error
   */
  async appendCopies(batches: readonly Buffer[]): Promise<void> {
    await this.#append(batches, 'batch', (bytes) => this.#options.cap.claim(bytes));
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

  /** The next batch to send, or undefined if every batch was read. Damaged ones are skipped and counted. */
  async next(): Promise<SpooledBatch | undefined> {
    const batch = await this.#reader.next(this.#end);
    if (batch !== undefined) await this.#endInherited(batch.offset);
    // Only damaged bytes remain. No batch will acknowledge them, so skip them here.
    else if (this.#reader.damageFrom === this.acknowledged) await this.acknowledge(this.#reader.offset);
    return batch;
  }

  /** The batch that begins at `end`, where the last one from next() ended, if the same producer may send both. */
  async peekAdjoining(end: number): Promise<SpooledBatch | undefined> {
    if (end === this.#inheritedEnd) return undefined;
    const batch = await this.#reader.peek(this.#end);
    return batch?.offset === end ? batch : undefined;
  }

  /** Reads again from the first record that is not acknowledged. */
  rewind(): Promise<void> {
    return this.#reader.rewind(this.acknowledged);
  }

  /**
   * Stores durably which producer sends the unstamped batches from now on; undefined = not decided yet. If a power cut
   * brought an older assignment back, two batches would get the same sequence.
   * @throws the system's error; then nothing may be sent as another producer
   */
  async assign(assignment: Assignment | undefined): Promise<void> {
    this.#inheritedEnd = undefined;
    await this.#remember({ ...this.#state, assignment });
  }

  /**
   * Binds producer identities to a cluster, durably. If they were bound to another cluster, or to none, the assignment
   * and the identities in batches below `foreignEnd` are void: here they may belong to another producer's batches.
   * @throws the system's error; then nothing may be sent
   */
  async bindTo(cluster: bigint, foreignEnd: number): Promise<void> {
    if (cluster !== 0n && this.#state.cluster === cluster) {
      if (this.owesCursor) await this.#remember(this.#state);
      return;
    }
    this.#inheritedEnd = undefined;
    const { acknowledged } = this.#state;
    await this.#remember({ ...NEW_CURSOR, acknowledged, cluster, foreignEnd });
  }

  /**
   * Stores durably that the records up to `end` are about to be sent as one batch. The next start must send the same
   * batch, or the broker would not recognise it as a duplicate.
   * @throws the system's error; then the batch must not be sent
   */
  async setSendingEnd(end: number): Promise<void> {
    await this.#remember({ ...this.#state, sendingEnd: end });
  }

  /**
   * Kafka has every record below `offset`, so they may be deleted.
   * @throws the system's error if the cursor cannot be written; the records still count as acknowledged and are deleted
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
   * Every record below `offset` is durable in other logs. The cursor is synced first; only then does `acknowledged`
   * change, with `done` in the same turn, and segments are deleted.
   * @throws the system's error; then nothing has changed, and the call may be repeated
   */
  async acknowledgeCopied(offset: number, done: () => void): Promise<void> {
    await this.#cursor.commit({ ...this.#state, acknowledged: offset, sendingEnd: undefined });
    this.#reader.acknowledged(offset);
    done();
    await this.#deleteAcknowledged(offset);
  }

  /** Renames the log's folder, durably. @throws the system's error; then the call may be repeated */
  async rename(directory: string): Promise<void> {
    // The reader opens files by their paths.
    await this.rewind();
    await this.#files.rename(directory);
    this.#cursor.moved(join(directory, 'cursor'));
    await syncDirectory(dirname(directory));
  }

  /**
   * Closes the log and removes its folder. False, and nothing was changed, if the folder holds unacknowledged records or
   * bytes that were set aside.
   */
  async remove(): Promise<boolean> {
    const names = await readdir(this.directory);
    if (names.some((name) => name !== 'cursor')) return false;
    // A segment that a power cut brings back without its cursor would be sent again.
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
    const nowMs = performance.now();
    const former = this.#stale;
    const sinceMs = former !== undefined && isInRow(former, nowMs) ? former.sinceMs : nowMs;
    this.#stale = { sinceMs, triedMs: nowMs };
    await this.#cursor.write(state);
    await this.#cursor.sync();
    this.#stale = undefined;
  }

  get #state(): CursorState {
    return this.#cursor.state ?? NEW_CURSOR;
  }

  // This process's records must not continue an earlier process's sequence: if that process's last batches were lost
  // from the disk, the broker would take these records for duplicates of them.
  async #endInherited(offset: number): Promise<void> {
    if (this.#inheritedEnd === undefined || offset < this.#inheritedEnd) return;
    // A failed write does no harm: nothing is sent before the next assignment is on disk.
    await this.assign(undefined).catch(() => undefined);
  }

  async #deleteAcknowledged(offset: number): Promise<void> {
    await this.#files.deleteBelow(offset, this.#reader);
  }
}

interface Tries {
  readonly sinceMs: number;
  readonly triedMs: number;
}

// A failure of long ago says nothing about the disk of today.
const isInRow = ({ triedMs }: Tries, nowMs: number): boolean => nowMs - triedMs < CURSOR_PATIENCE_MS;

const isGivenUp = (tries: Tries, nowMs: number): boolean =>
  isInRow(tries, nowMs) && nowMs - tries.sinceMs >= CURSOR_PATIENCE_MS;

/**
 * Makes the name of a new folder durable: a power cut would take the folder with every batch in it.
 * @throws the system's error; then the folder is gone, so that the next try makes its name again
 */
async function keepName(directory: string): Promise<void> {
  try {
    await syncDirectory(dirname(directory));
  } catch (error) {
    await rmdir(directory).catch(() => undefined);
    throw error;
  }
}

/**
 * Syncs the names of the log's folder and files. A process that was killed may have created or deleted files without
 * syncing that. A power cut must not undo a state by which this start decides.
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

// A cursor that points outside of the log's records is ignored: every record is sent again.
function firstToSend(
  acknowledged: number,
  sendingEnd: number | undefined,
  { first, end }: { first: number; end: number },
): number {
  if (acknowledged >= first && acknowledged <= end) return acknowledged;
  // The segments of a batch that was being sent are deleted only once the whole batch is acknowledged.
  const wasAcknowledged =
    acknowledged < first && sendingEnd !== undefined && sendingEnd > first && sendingEnd <= end;
  return wasAcknowledged ? sendingEnd : first;
}
