// Bounds the bytes that a stage puts back into sources until the next stage reads them. They came in one read with the
// bytes of the stage, because Node cannot read less.
import type { PlainSource } from './plain-source.ts';

/** Of all sources: they may wait for their place for up to a minute, if a rate is set. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Of one source. This much always fits; an identify has less. */
const FREE_BYTES = 1024;
const FIRST_COUNT = 256;

export class UnreadLimit {
  /** Sources with more than FREE_BYTES, and some that have been read by now. */
  readonly #sources = new Set<PlainSource>();
  #bytes = 0;
  /** When there are this many sources, they are counted again. */
  #countAt = FIRST_COUNT;

  /** False if there is no room. */
  putBack(source: PlainSource, bytes: Uint8Array): boolean {
    if (bytes.length > FREE_BYTES) {
      const isFull = () => this.#bytes + bytes.length > MAX_BYTES;
      if (isFull() || this.#sources.size >= this.#countAt) this.#count();
      if (isFull()) return false;
      this.#sources.add(source);
      this.#bytes += bytes.length;
    }
    source.unread(bytes);
    return true;
  }

  #count(): void {
    this.#bytes = 0;
    for (const source of this.#sources) {
      if (source.unreadBytes === 0) this.#sources.delete(source);
      else this.#bytes += source.unreadBytes;
    }
    this.#countAt = FIRST_COUNT + 2 * this.#sources.size;
  }
}
