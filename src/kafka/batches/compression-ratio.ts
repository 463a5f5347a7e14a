// How well recent batches compressed, for the guess of how much will fit into one message.

const RECENT = 32;
/** Smaller batches compress worse than any that could become too large. */
const MIN_BYTES = 32 * 1024;

export class CompressionRatio {
  readonly #recent: number[] = [];
  #next = 0;

  /** Uncompressed bytes a compressed byte, of the recent batch that compressed worst; 1 where there is none. */
  least = 1;

  /** @param records bytes before, @param batch bytes after, the batch's header included */
  note(records: number, batch: number): void {
    if (records < MIN_BYTES) return;
    this.#recent[this.#next] = Math.max(1, records / batch);
    this.#next = (this.#next + 1) % RECENT;
    this.least = Math.min(...this.#recent);
  }
}
