// Reads a log's batches in order while new ones are appended. It skips damage and counts it once the records behind it
// are acknowledged. It changes no file.
//
// A segment that the disk fails to read is tried again for a while: a path to the disk may be failing over, which takes
// up to a minute with a kernel's usual time limits. After that the rest of the segment is skipped, as a start does it.
// Otherwise the partition would wait for a person. The file is kept.
import { isProcessLimit, reasonOf, type Unreadable } from './read-errors.ts';
import type { Segment } from './recovery.ts';
import { type Found, scanSegment } from './segment-scan.ts';

export interface SpooledBatch {
  /** The log's offset of the first record. */
  readonly offset: number;
  readonly count: number;
  /** Ready to be stamped and sent, with base offset zero. */
  readonly bytes: Buffer;
  /** True if it was sent before it was spooled. It must keep its sequence. */
  readonly stamped: boolean;
  readonly maxTimestampMs: number;
}

/** A gap without an intact batch before offset `end`. */
interface Damage {
  readonly end: number;
  readonly batches: number;
  readonly records: number;
}

/** How long an unreadable segment is tried: at least this many times, and for at least this long. */
export interface ReadPatience {
  readonly tries: number;
  readonly ms: number;
}

export interface ReaderOptions {
  readonly patience?: ReadPatience;
  /** Called when records are skipped because the disk fails to read them. */
  readonly unreadable?: (lost: Unreadable) => void;
}

const PATIENCE: ReadPatience = { tries: 10, ms: 60_000 };

interface Failure {
  readonly segment: Segment;
  readonly position: number;
  readonly sinceMs: number;
  tries: number;
}

/** The bytes [from, to) of a segment, which are skipped. */
interface GivenUp {
  readonly from: number;
  readonly to: number;
  /** The offset at `to`. */
  readonly end: number;
}

interface Place {
  readonly segment: Segment;
  position: number;
  /** The offset at `position`. */
  offset: number;
  scan: AsyncGenerator<Found> | undefined;
}

export class SegmentReader {
  /** Damaged places below the acknowledged offset, and the records that are missing there. */
  badBatches = 0;
  badRecords = 0;

  readonly #segments: () => readonly Segment[];
  #place: Place | undefined;
  #offset: number;
  // The end of the last batch from next(). If #offset is farther, only damage was read since.
  #given: number;
  #peeked: SpooledBatch | undefined;
  #damage: Damage[] = [];
  #isStopped = false;
  readonly #options: ReaderOptions;
  #failure: Failure | undefined;
  readonly #givenUp = new WeakMap<Segment, GivenUp>();

  /** @param segments the current segments, oldest first; @param offset where to begin */
  constructor(segments: () => readonly Segment[], offset: number, options: ReaderOptions = {}) {
    this.#segments = segments;
    this.#options = options;
    this.#offset = offset;
    this.#given = offset;
  }

  /** Every record below this offset was given out or is damaged. */
  get offset(): number {
    return this.#peeked?.offset ?? this.#offset;
  }

  /** Where the last batch from next() ended, if only damage was read since. */
  get damageFrom(): number | undefined {
    return this.#peeked === undefined && this.#given < this.#offset ? this.#given : undefined;
  }

  /** The batch that next() will return. Undefined if there is none below `end`, and after stop(). */
  async peek(end: number): Promise<SpooledBatch | undefined> {
    while (this.#peeked === undefined && this.#offset < end && !this.#isStopped)
      this.#peeked = await this.#read(end);
    return this.#peeked;
  }

  async next(end: number): Promise<SpooledBatch | undefined> {
    const batch = await this.peek(end);
    this.#peeked = undefined;
    if (batch !== undefined) this.#given = this.#offset;
    return batch;
  }

  /** The records below `offset` are acknowledged. Damage below it is counted and will not be read again. */
  acknowledged(offset: number): void {
    this.#given = Math.max(this.#given, offset);
    this.#damage = this.#damage.filter(({ end, batches, records }) => {
      if (end > offset) return true;
      this.badBatches += batches;
      this.badRecords += records;
      return false;
    });
  }

  /** Goes back to `offset`, up to which records are acknowledged. */
  async rewind(offset: number): Promise<void> {
    await this.close();
    this.#peeked = undefined;
    this.#damage = [];
    this.#offset = offset;
    this.#given = offset;
  }

  /** Closes the segment's file if the reader has it open. */
  async closeIfOn(segment: Segment): Promise<void> {
    if (this.#place?.segment === segment) await this.close();
  }

  /** Ends reading, also of a batch that is just being read. No file stays open. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.close();
  }

  /** Closes the file being read. The next read opens it again. */
  async close(): Promise<void> {
    const place = this.#place;
    this.#place = undefined;
    await place?.scan?.return(undefined);
  }

  // One step of the scan: a batch, or undefined after damage, the end, or a batch that was read before.
  async #read(readEnd: number): Promise<SpooledBatch | undefined> {
    const place = await this.#open();
    if (this.#isStopped) return undefined;
    const { segment, position, offset } = place;
    place.scan ??= scanSegment(segment.path, { from: position, to: segment.bytes, offset });
    let step: IteratorResult<Found>;
    try {
      step = await place.scan.next();
    } catch (error) {
      place.scan = undefined;
      if (!this.#isHopeless(place, error)) throw error;
      this.#giveUp(place, error);
      return undefined;
    }
    if (step.done) {
      place.scan = undefined;
      // At the end of the segment, records that it should still hold are lost.
      if (place.position >= segment.bytes) this.#passTo(place, segment.end);
      return undefined;
    }
    const found = step.value;
    if (found.kind !== 'batch') {
      this.#damage.push({ end: place.offset + 1, batches: 1, records: 0 });
      place.position = found.position + found.bytes;
      return undefined;
    }
    const { header } = found;
    if (header.baseOffset >= readEnd) {
      // Only damage lies before this batch, and the batch itself may not be read yet.
      await place.scan.return(undefined);
      place.scan = undefined;
      place.position = found.position;
      this.#passTo(place, readEnd);
      return undefined;
    }
    this.#passTo(place, header.baseOffset);
    place.position = found.position + header.bytes;
    place.offset = header.baseOffset + header.count;
    if (place.offset <= this.#offset) return undefined;
    this.#offset = place.offset;
    const bytes = Buffer.from(found.bytes);
    bytes.writeBigInt64BE(0n, 0);
    return {
      offset: header.baseOffset,
      count: header.count,
      bytes,
      stamped: header.producerId !== -1n,
      maxTimestampMs: header.maxTimestampMs,
    };
  }

  /** Whether this place was tried often and long enough, or was given up before. */
  #isHopeless({ segment, position }: Place, error: unknown): boolean {
    if (isProcessLimit(error)) return false;
    const givenUp = this.#givenUp.get(segment);
    if (givenUp !== undefined && position >= givenUp.from && position < givenUp.to) return true;
    let failure = this.#failure;
    if (failure?.segment !== segment || failure.position !== position)
      failure = { segment, position, sinceMs: performance.now(), tries: 0 };
    failure.tries++;
    this.#failure = failure;
    const { tries, ms } = this.#options.patience ?? PATIENCE;
    return failure.tries >= tries && performance.now() - failure.sinceMs >= ms;
  }

  /** Skips the rest of the segment, up to its size when it was first given up. */
  #giveUp(place: Place, error: unknown): void {
    const { segment, position } = place;
    const from = Math.max(place.offset, this.#offset);
    const known = this.#givenUp.get(segment);
    const isKnown = known !== undefined && position < known.to;
    const givenUp = isKnown ? known : { from: position, to: segment.bytes, end: segment.end };
    this.#givenUp.set(segment, givenUp);
    this.#failure = undefined;
    segment.unreadable = true;
    this.#damage.push({ end: place.offset + 1, batches: 1, records: 0 });
    place.position = givenUp.to;
    this.#passTo(place, givenUp.end);
    if (isKnown) return;
    this.#options.unreadable?.({ path: segment.path, from, to: givenUp.end, reason: reasonOf(error) });
  }

  // Moves on to `offset`. Records on the way that were not read are damage.
  #passTo(place: Place, offset: number): void {
    const records = offset - Math.max(place.offset, this.#offset);
    if (records > 0) this.#damage.push({ end: offset, batches: 0, records });
    place.offset = offset;
    this.#offset = Math.max(this.#offset, offset);
  }

  async #open(): Promise<Place> {
    const current = this.#place;
    if (current !== undefined && current.position < current.segment.bytes) return current;
    const segment = this.#segments().find(({ end }) => end > this.#offset);
    if (segment === undefined) throw new Error('the spool has nothing to read');
    if (current?.segment === segment) return current;
    await this.close();
    const place = { segment, position: 0, offset: this.#offset, scan: undefined };
    this.#place = place;
    this.#passTo(place, segment.base);
    return place;
  }
}
