// Makes one batch of several that follow each other in the spool: what was confirmed to devices within milliseconds
// is many small batches, and each would cost Kafka a round trip.
import type { SpooledBatch } from '../../spool/segment-reader.ts';
import type { Codec } from './compression.ts';
import { HEADER_BYTES, RecordBatchWriter } from './record-batch.ts';
import { type RawRecord, unpack } from './split-batch.ts';

/** What a batch may hold at most, uncompressed. */
export interface BatchLimits {
  readonly bytes: number;
  readonly records: number;
}

export class BatchMerger {
  readonly #first: SpooledBatch;
  readonly #limits: BatchLimits;
  #count: number;
  // Undefined until there is a second batch: most of the time there is none, and nothing is unpacked.
  #records: RawRecord[] | undefined;
  #bytes = HEADER_BYTES;

  constructor(first: SpooledBatch, limits: BatchLimits) {
    this.#first = first;
    this.#limits = limits;
    this.#count = first.count;
  }

  /** The spool's offset after the last record so far. */
  get end(): number {
    return this.#first.offset + this.#count;
  }

  /** Adds the batch that begins at `end`, or says false where it does not fit. With `force` it always fits. */
  async add(batch: SpooledBatch, { force }: { force: boolean }): Promise<boolean> {
    if (!force && this.#count + batch.count > this.#limits.records) return false;
    if (this.#records === undefined) {
      this.#records = await unpack(this.#first.bytes);
      this.#bytes += sizeOf(this.#records);
    }
    const records = await unpack(batch.bytes);
    const bytes = sizeOf(records);
    if (!force && this.#bytes + bytes > this.#limits.bytes) return false;
    this.#records.push(...records);
    this.#bytes += bytes;
    this.#count += batch.count;
    return true;
  }

  /** All of it as one batch, not yet stamped. @param atMs if given, the time of every record, else each keeps its own */
  async merged(codec: Codec, atMs?: number): Promise<SpooledBatch> {
    if (this.#count === this.#first.count || this.#records === undefined) return this.#first;
    const writer = new RecordBatchWriter(this.#bytes);
    for (const { timestampMs, body } of this.#records) writer.appendRaw(atMs ?? timestampMs, body);
    return { ...this.#first, count: this.#count, bytes: (await writer.seal(codec)).bytes };
  }
}

/** Length, attributes, time and offset of a record in front of its key: at most. */
const RECORD_HEAD_BYTES = 5 + 1 + 10 + 5;

function sizeOf(records: readonly RawRecord[]): number {
  return records.reduce((sum, { body }) => sum + RECORD_HEAD_BYTES + body.length, 0);
}
