// One partition's spool: Kafka log segment files holding the very batches that would have been sent, in order.
//
// - `<first offset, 20 digits>.log`: batches one after the other, as kafka-dump-log.sh reads them. The base
//   offset, which no checksum covers, counts the spool's records; Kafka gives its own when it takes the batch.
// - `cursor`: what Kafka has acknowledged (cursor.ts).
// - `*.bad`: bytes that were no intact batch, set aside at recovery; never sent, removed by hand.
// - A segment ends where the next one begins: what a failed sync left behind that was written once more there.
// - A batch is durable once append() resolved, and deleted only after Kafka acknowledged it.
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readHeader } from './batch-header.ts';
import { type Assignment, Cursor, type CursorState, NEW_CURSOR } from './cursor.ts';
import { newSegment, putAway, recoverSegments, type Segment } from './recovery.ts';
import { SegmentReader, type SpooledBatch } from './segment-reader.ts';
import { syncDirectory } from './sync-directory.ts';

export interface SpoolLogOptions {
  readonly directory: string;
  /** A segment is not begun anew before it has this many bytes. */
  readonly segmentBytes: number;
  /** `batch` = fdatasync before an append resolves, `os` = leave it to the kernel. */
  readonly sync: 'batch' | 'os';
  /** The setting that limits the spool, for the message of SpoolFullError; SPOOL_MAX_BYTES if left out. */
  readonly capSetting?: string;
  /** Asked before bytes are added; false = the spool's cap is reached. */
  readonly reserve: (bytes: number) => boolean;
  /** Told of bytes that are there already; the cap does not matter to them. */
  readonly claim: (bytes: number) => void;
  /** Told when bytes were deleted. */
  readonly release: (bytes: number) => void;
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
  readonly directory: string;
  readonly #options: SpoolLogOptions;
  readonly #cursor: Cursor;
  #segments: Segment[];
  #active: { segment: Segment; file: FileHandle } | undefined;
  readonly #reader: SegmentReader;
  #nextOffset: number;
  // An earlier process's assignment covers what that process left, and ends here.
  #inheritedEnd: number | undefined;
  #appending: Promise<void> | undefined;
  #isCursorStale = false;

  private constructor(options: SpoolLogOptions, cursor: Cursor, segments: Segment[], acknowledged: number) {
    this.#options = options;
    this.directory = options.directory;
    this.#cursor = cursor;
    this.#segments = segments;
    this.#nextOffset = segments.at(-1)?.end ?? acknowledged;
    this.#reader = new SegmentReader(() => this.#segments, acknowledged);
    this.#inheritedEnd = cursor.state?.assignment && this.#nextOffset;
  }

  /** Opens what is there, repairs it and says what it found. Fails only where the directory cannot be used. */
  static async open(options: SpoolLogOptions): Promise<{ log: SpoolLog; recovered: Recovered }> {
    const created = await mkdir(options.directory, { recursive: true });
    if (created !== undefined) await syncDirectory(dirname(created));
    const cursor = await Cursor.open(join(options.directory, 'cursor'));
    const { segments, ...found } = await recoverSegments(options.directory).catch(async (error: unknown) => {
      // Opening is tried again and again.
      await cursor.close();
      throw error;
    });
    const first = segments[0]?.base ?? cursor.state?.acknowledged ?? 0;
    const end = segments.at(-1)?.end ?? first;
    const wanted = cursor.state?.acknowledged ?? first;
    const acknowledged = whereToBegin(wanted, cursor.state?.sendingEnd, { first, end });
    if (acknowledged !== cursor.state?.acknowledged) {
      // Synced, or after a power cut the old one would mean the new records that get the same offsets.
      await cursor
        .write({ ...NEW_CURSOR, acknowledged })
        .then(() => cursor.sync())
        .catch(() => undefined);
    }
    const log = new SpoolLog(options, cursor, segments, acknowledged);
    for (const segment of segments) options.claim(segment.bytes);
    await log.#deleteAcknowledged(acknowledged);
    const bytes = log.bytes;
    return { log, recovered: { ...found, records: log.records, bytes } };
  }

  /** Records not acknowledged by Kafka, damaged ones included until they are passed. */
  get records(): number {
    return this.#nextOffset - this.acknowledged;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  get acknowledged(): number {
    return this.#cursor.state?.acknowledged ?? 0;
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Wall clock of the oldest unacknowledged segment's first batch, milliseconds since 1970. */
  get oldestMs(): number | undefined {
    return this.#segments[0]?.oldestMs;
  }

  get assignment(): Assignment | undefined {
    return this.#cursor.state?.assignment;
  }

  /** What was to be remembered last could not be written: the file may still have another assignment. */
  get isCursorStale(): boolean {
    return this.#isCursorStale;
  }

  /** The offset up to which all from `acknowledged` on is being sent as one batch, undefined where none is. */
  get sendingEnd(): number | undefined {
    return this.#cursor.state?.sendingEnd;
  }

  /** Batches below this offset may carry a producer identity of another cluster. */
  get foreignEnd(): number {
    return this.#state.foreignEnd;
  }

  /** Everything written has been given out for sending. */
  get caughtUp(): boolean {
    return this.#reader.offset === this.#nextOffset;
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
    const bytes = batches.reduce((sum, batch) => sum + batch.length, 0);
    if (!this.#options.reserve(bytes)) {
      throw new SpoolFullError(`${this.#options.capSetting ?? 'SPOOL_MAX_BYTES'} is reached`);
    }
    try {
      this.#appending = this.#write(batches, bytes);
      await this.#appending;
      this.#appending = undefined;
    } catch (error) {
      this.#appending = undefined;
      this.#options.release(bytes);
      // What had to wait for this write may be all that fills the disk.
      await this.#deleteAcknowledged(this.acknowledged);
      throw error;
    }
  }

  /** The next batch to send, or undefined where all has been read. A damaged one is passed over and counted. */
  async next(): Promise<SpooledBatch | undefined> {
    const batch = await this.#reader.next(this.#nextOffset);
    if (batch !== undefined) await this.#endInherited(batch.offset);
    // Nothing but damage is left, which nobody else can acknowledge.
    else if (this.#reader.damageFrom === this.acknowledged) await this.acknowledge(this.#reader.offset);
    return batch;
  }

  /** The batch behind the last one next() gave out, where it is whole and goes out as the same producer. */
  async peekAdjoining(end: number): Promise<SpooledBatch | undefined> {
    if (end === this.#inheritedEnd) return undefined;
    const batch = await this.#reader.peek(this.#nextOffset);
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
  async plan(end: number): Promise<void> {
    await this.#remember({ ...this.#state, sendingEnd: end });
  }

  /**
   * Everything below `offset` is in Kafka: it may be deleted.
   * @throws the system's error where the cursor cannot be written; it counts, and deletes, all the same
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

  async close(): Promise<void> {
    await this.#appending?.catch(() => undefined);
    await this.#reader.close();
    await this.#active?.file.close();
    this.#active = undefined;
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

  async #write(batches: readonly Buffer[], bytes: number): Promise<void> {
    const { segment, file } = await this.#activeSegment(bytes);
    let offset = this.#nextOffset;
    for (const batch of batches) {
      batch.writeBigInt64BE(BigInt(offset), 0);
      offset += readHeader(batch, 0)?.count ?? 0;
    }
    try {
      const { bytesWritten } = await file.writev([...batches], segment.bytes);
      // A nearly full disk takes part of a write without an error; the next one would say ENOSPC.
      if (bytesWritten < bytes) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      if (this.#options.sync === 'batch') await file.datasync();
    } catch (error) {
      await this.#cutBack(segment, file, (error as NodeJS.ErrnoException).code);
      throw error;
    }
    const headers = batches.map((batch) => readHeader(batch, 0)?.maxTimestampMs ?? 0);
    if (segment.bytes === 0) segment.oldestMs = headers[0] ?? 0;
    segment.newestMs = headers.at(-1) ?? 0;
    segment.bytes += bytes;
    segment.end = offset;
    this.#nextOffset = offset;
  }

  // What was written and not confirmed must not come back at recovery beside its second copy.
  async #cutBack(segment: Segment, file: FileHandle, code: string | undefined): Promise<void> {
    const cut = await file.truncate(segment.bytes).then(
      () => true,
      () => false,
    );
    if (cut && (code === 'ENOSPC' || code === 'EDQUOT')) return;
    // After a failed sync nobody knows what the kernel still has: this file is not written again.
    await file.close().catch(() => undefined);
    this.#active = undefined;
    if (segment.bytes > 0) return;
    this.#segments = this.#segments.filter((other) => other !== segment);
    await unlink(segment.path).catch(() => undefined);
  }

  async #activeSegment(bytes: number): Promise<{ segment: Segment; file: FileHandle }> {
    const active = this.#active;
    if (
      active !== undefined &&
      (active.segment.bytes === 0 || active.segment.bytes + bytes <= this.#options.segmentBytes)
    ) {
      return active;
    }
    const base = this.#nextOffset;
    const path = join(this.directory, `${String(base).padStart(20, '0')}.log`);
    const file = await open(path, 'w+');
    try {
      await syncDirectory(this.directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    await active?.file.close();
    const segment = newSegment(base, path);
    this.#segments.push(segment);
    this.#active = { segment, file };
    return this.#active;
  }

  // Records this process wrote are not numbered on from what an earlier one sent: where the end of that was
  // lost, the broker would take them for it.
  async #endInherited(offset: number): Promise<void> {
    if (this.#inheritedEnd === undefined || offset < this.#inheritedEnd) return;
    // It counts even where it cannot be written: nothing is sent before the next assignment is on disk.
    await this.assign(undefined).catch(() => undefined);
  }

  // The cursor is written before: a crash in between leaves a file that is passed over at the next start.
  async #deleteAcknowledged(offset: number): Promise<void> {
    while (this.#segments[0] !== undefined && this.#segments[0].end <= offset) {
      const segment = this.#segments[0];
      const active = this.#active?.segment === segment ? this.#active : undefined;
      // The file being written goes only when it is all there is, so that an empty spool takes no space.
      if (active && (this.#nextOffset !== offset || this.#appending !== undefined)) return;
      if (segment.bytes === 0) return;
      // Before the first wait: an append that begins meanwhile must find another file.
      this.#segments.shift();
      if (active) this.#active = undefined;
      await active?.file.close().catch(() => undefined);
      await this.#reader.leave(segment);
      if (segment.unreadable) await putAway(segment.path);
      else await unlink(segment.path).catch(() => undefined);
      this.#options.release(segment.bytes);
    }
  }
}

// A cursor that points outside what is there says nothing: everything is sent again.
function whereToBegin(
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
