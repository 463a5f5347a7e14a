// How well recent batches compressed. The batcher uses it to guess how many records fit into one message.

const RECENT = 32;
/** Smaller batches do not count: they compress worse than the large ones that the guess is for. */
const MIN_BYTES = 32 * 1024;

export class CompressionRatio {
  readonly #recent: number[] = [];
  #next = 0;

  /** Uncompressed bytes per compressed byte, of the recent batch that compressed worst; 1 before the first. */
  least = 1;

  /** @param records bytes of the records, @param batch bytes of the sealed batch, header included */
  note(records: number, batch: number): void {
    if (records < MIN_BYTES) return;
    this.#recent[this.#next] = Math.max(1, records / batch);
    this.#next = (this.#next + 1) % RECENT;
    this.least = Math.min(...this.#recent);
  }
}
