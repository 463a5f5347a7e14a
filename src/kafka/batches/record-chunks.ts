// Where the records of an open batch lie: in chunks, so that a batch grows without being copied and without memory of
// ever other sizes. A record lies in one chunk. A chunk is what snappy compresses in one go anyway.
import { batchBuffers } from './buffer-pool.ts';

const CHUNK_BYTES = 64 * 1024;

const NOTHING = Buffer.alloc(0);

export class RecordChunks {
  /** Of all records so far. */
  bytes = 0;
  /** Where the next record goes: from `at` on. */
  target: Buffer;
  at = 0;
  #end: number;
  readonly #full: { chunk: Buffer; used: number }[] = [];

  /** @param bytes about so many are to come */
  constructor(bytes: number) {
    this.#end = Math.min(bytes, CHUNK_BYTES);
    this.target = batchBuffers.take(this.#end);
  }

  /** Makes `target` have room for a record of that many bytes, whatever its size. */
  reserve(bytes: number): void {
    if (this.at + bytes <= this.#end) return;
    this.#full.push({ chunk: this.target, used: this.at });
    this.#end = Math.max(bytes, CHUNK_BYTES);
    this.target = batchBuffers.take(this.#end);
    this.at = 0;
  }

  /** A record was written, and ends at `end`. Returns its bytes. */
  written(end: number): number {
    const bytes = end - this.at;
    this.at = end;
    this.bytes += bytes;
    return bytes;
  }

  /** All records, in parts that follow each other. They stay as they are until `free`. */
  parts(): Buffer[] {
    const parts = this.#full.map(({ chunk, used }) => chunk.subarray(0, used));
    parts.push(this.target.subarray(0, this.at));
    return parts.filter((part) => part.length > 0);
  }

  /** Nobody reads the records any more, and there will be none. */
  free(): void {
    for (const { chunk } of this.#full) batchBuffers.give(chunk);
    this.#full.length = 0;
    batchBuffers.give(this.target);
    // What is written here from now on must not land in another batch.
    this.target = NOTHING;
    this.#end = 0;
    this.at = 0;
  }
}
