// Reads a log's segments in order, from one batch to the next, while others are still being added. Damage is passed
// over and remembered until what lies behind it is acknowledged.
//
// A segment that the disk does not give back is tried again for a while: a path to the disk may be failing over, which
// takes up to a minute with the usual time limits of a kernel. After that its rest is passed over, as a start does it,
// or the partition would wait for a person. The file is kept.
import { isProcessLimit, reasonOf, type Unreadable } from './read-errors.ts';
import type { Segment } from './recovery.ts';
import { type Found, scanSegment } from './segment-scan.ts';

export interface SpooledBatch {
  /** The spool's offset of its first record. */
  readonly offset: number;
  readonly count: number;
  /** Ready to be stamped and sent: the base offset is zero again. */
  readonly bytes: Buffer;
  /** True if it was sent before it came here, with a sequence that must stay. */
  readonly stamped: boolean;
  readonly maxTimestampMs: number;
}

/** What was passed over without an intact batch, before offset `end`. */
interface Damage {
  readonly end: number;
  readonly batches: number;
  readonly records: number;
}

/** How long a segment is tried that cannot be read: at least so often, and for at least so long. */
export interface ReadPatience {
  readonly tries: number;
  readonly ms: number;
}

export interface ReaderOptions {
  readonly patience?: ReadPatience;
  /** Told when records are passed over because the disk does not give them back. */
  readonly unreadable?: (lost: Unreadable) => void;
}

const PATIENCE: ReadPatience = { tries: 10, ms: 60_000 };

interface Failure {
  readonly segment: Segment;
  readonly position: number;
  readonly sinceMs: number;
  tries: number;
}

/** The part of a segment that is passed over: its bytes [from, to). */
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
  /** Damaged places that were passed and acknowledged, and the records that are missing because of them. */
  badBatches = 0;
  badRecords = 0;

  readonly #segments: () => readonly Segment[];
  #place: Place | undefined;
  #offset: number;
  // The end of what next() gave out last: read beyond it was only damage.
  #given: number;
  #peeked: SpooledBatch | undefined;
  #damage: Damage[] = [];
  #isStopped = false;
  readonly #options: ReaderOptions;
  #failure: Failure | undefined;
  readonly #givenUp = new WeakMap<Segment, GivenUp>();

  /** @param segments those there are now, oldest first; @param offset where to begin */
  constructor(segments: () => readonly Segment[], offset: number, options: ReaderOptions = {}) {
    this.#segments = segments;
    this.#options = options;
    this.#offset = offset;
    this.#given = offset;
  }

  /** Everything below was given out, or was damage. */
  get offset(): number {
    return this.#peeked?.offset ?? this.#offset;
  }

  /** Nothing but damage was met since the last batch that was given out, or since the beginning. */
  get damageFrom(): number | undefined {
    return this.#peeked === undefined && this.#given < this.#offset ? this.#given : undefined;
  }

  /** The next batch, which stays the next one. Undefined if there is none below `end`, and after stop(). */
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

  /** Everything below is done with: damage up to there counts for good. */
  acknowledged(offset: number): void {
    this.#given = Math.max(this.#given, offset);
    this.#damage = this.#damage.filter(({ end, batches, records }) => {
      if (end > offset) return true;
      this.badBatches += batches;
      this.badRecords += records;
      return false;
    });
  }

  /** Goes back to `offset`, below which all is acknowledged. */
  async rewind(offset: number): Promise<void> {
    await this.close();
    this.#peeked = undefined;
    this.#damage = [];
    this.#offset = offset;
    this.#given = offset;
  }

  /** Closes the segment's file if it is the one being read. */
  async closeIfOn(segment: Segment): Promise<void> {
    if (this.#place?.segment === segment) await this.close();
  }

  /** Reads nothing more, also if a batch is just being read: no file stays open. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.close();
  }

  /** Closes the file that is being read, until the next one is asked for. */
  async close(): Promise<void> {
    const place = this.#place;
    this.#place = undefined;
    await place?.scan?.return(undefined);
  }

  // One step of the scan: a batch, or undefined if it met damage, the end, or a batch that was read before.
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
      // All of a segment was passed: what it should have held beyond that is lost.
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
      // All before it was damage, and the batch itself is not to be read yet.
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

  /** Whether this place was tried for long enough. */
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

  /** Passes over the rest of the segment, as far as it was written when that was first done. */
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

  // Offsets the reader comes to without having met their records.
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
