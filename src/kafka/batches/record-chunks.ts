// The memory of an open batch: a list of chunks, so that a batch grows without being copied and all batches use buffers
// of one size. A record never spans two chunks. A chunk is as large as the blocks that snappy compresses.
import { batchBuffers } from './buffer-pool.ts';

const CHUNK_BYTES = 64 * 1024;

const NOTHING = Buffer.alloc(0);

export class RecordChunks {
  /** Bytes of all records so far. */
  bytes = 0;
  /** The next record is written here, from `at` on. */
  target: Buffer;
  at = 0;
  #end: number;
  readonly #full: { chunk: Buffer; used: number }[] = [];

  /** @param bytes expected size of the records, a hint */
  constructor(bytes: number) {
    this.target = batchBuffers.take(Math.min(bytes, CHUNK_BYTES));
    // All of it: at a low rate a batch often has a record more than the one before, which must not take a second chunk.
    this.#end = Math.min(this.target.length, CHUNK_BYTES);
  }

  /** Makes room for a record in `target`. A record larger than a chunk gets a chunk of its own size. */
  reserve(bytes: number): void {
    if (this.at + bytes <= this.#end) return;
    this.#full.push({ chunk: this.target, used: this.at });
    this.#end = Math.max(bytes, CHUNK_BYTES);
    this.target = batchBuffers.take(this.#end);
    this.at = 0;
  }

  /** Notes that a record was written up to `end`. Returns its size in bytes. */
  written(end: number): number {
    const bytes = end - this.at;
    this.at = end;
    this.bytes += bytes;
    return bytes;
  }

  /** All records, as the parts of one byte sequence. They are valid until free(). */
  parts(): Buffer[] {
    const parts: Buffer[] = [];
    for (const { chunk, used } of this.#full) if (used > 0) parts.push(chunk.subarray(0, used));
    if (this.at > 0) parts.push(this.target.subarray(0, this.at));
    return parts;
  }

  /** Gives the memory back. Nobody may read the records or append any afterwards. */
  free(): void {
    for (const { chunk } of this.#full) batchBuffers.give(chunk);
    this.#full.length = 0;
    batchBuffers.give(this.target);
    // A later write by mistake must not land in another batch.
    this.target = NOTHING;
    this.#end = 0;
    this.at = 0;
  }
}
