// Merges consecutive batches of the spool into one. Records that were confirmed to devices within milliseconds are many
// small batches on disk, and each would cost a round trip to Kafka.
import type { SpooledBatch } from '../../spool/segment-reader.ts';
import type { Codec } from './compression.ts';
import { HEADER_BYTES, RecordBatchWriter } from './record-batch.ts';
import { type RawRecord, unpack } from './split-batch.ts';

/** Limits of one batch, before compression. */
export interface BatchLimits {
  readonly bytes: number;
  readonly records: number;
}

export class BatchMerger {
  readonly #first: SpooledBatch;
  readonly #limits: BatchLimits;
  #count: number;
  // Undefined until a second batch is added. Most of the time there is none, and the first need not be unpacked.
  #records: RawRecord[] | undefined;
  #bytes = HEADER_BYTES;

  constructor(first: SpooledBatch, limits: BatchLimits) {
    this.#first = first;
    this.#limits = limits;
    this.#count = first.count;
  }

  /** The spool's offset after the last record that was added. */
  get end(): number {
    return this.#first.offset + this.#count;
  }

  /** Adds the batch that begins at `end`. False if it does not fit; with `force` it always fits. */
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

  /** The merged batch, not yet stamped. @param atMs timestamp for every record; without it each keeps its own */
  async merged(codec: Codec, atMs?: number): Promise<SpooledBatch> {
    if (this.#count === this.#first.count || this.#records === undefined) return this.#first;
    const writer = new RecordBatchWriter(this.#bytes);
    for (const { timestampMs, body } of this.#records) writer.appendRaw(atMs ?? timestampMs, body);
    return { ...this.#first, count: this.#count, bytes: (await writer.seal(codec)).bytes };
  }
}

/** Upper bound of a record's fields before its key: length, attributes, timestamp and offset. */
const RECORD_HEAD_BYTES = 5 + 1 + 10 + 5;

function sizeOf(records: readonly RawRecord[]): number {
  return records.reduce((sum, { body }) => sum + RECORD_HEAD_BYTES + body.length, 0);
}
