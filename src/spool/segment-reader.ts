// Reads a log's segments in order, from one batch to the next, while others are still being added. Damage is passed
// over and remembered until what lies behind it is acknowledged.
import type { Segment } from './recovery.ts';
import { type Found, scanSegment } from './segment-scan.ts';

export interface SpooledBatch {
  /** The spool's offset of its first record. */
  readonly offset: number;
  readonly count: number;
  /** Ready to be stamped and sent: the base offset is zero again. */
  readonly bytes: Buffer;
  /** True where it was sent before it came here, with a sequence that must stay. */
  readonly stamped: boolean;
  readonly maxTimestampMs: number;
}

/** What was passed over without an intact batch, before offset `end`. */
interface Damage {
  readonly end: number;
  readonly batches: number;
  readonly records: number;
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

  /** @param segments those there are now, oldest first; @param offset where to begin */
  constructor(segments: () => readonly Segment[], offset: number) {
    this.#segments = segments;
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

  /** The next batch, which stays the next one. Undefined where there is none below `end`. */
  async peek(end: number): Promise<SpooledBatch | undefined> {
    while (this.#peeked === undefined && this.#offset < end) this.#peeked = await this.#read();
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

  /** Goes back to `offset`, the end of what is acknowledged. */
  async rewind(offset: number): Promise<void> {
    await this.close();
    this.#peeked = undefined;
    this.#damage = [];
    this.#offset = offset;
    this.#given = offset;
  }

  /** Lets the segment's file go where it is the one being read. */
  async leave(segment: Segment): Promise<void> {
    if (this.#place?.segment === segment) await this.close();
  }

  async close(): Promise<void> {
    const place = this.#place;
    this.#place = undefined;
    await place?.scan?.return(undefined);
  }

  // One step of the scan: a batch, or undefined where it met damage, the end, or what was read before.
  async #read(): Promise<SpooledBatch | undefined> {
    const place = await this.#open();
    const { segment, position, offset } = place;
    place.scan ??= scanSegment(segment.path, { from: position, to: segment.bytes, offset });
    const step = await place.scan.next();
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
