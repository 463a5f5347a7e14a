// How large a Produce request to one broker may be. A broker closes the connection on a request that is too large for
// it and says nothing else, so the limit is learned: two closed connections in a row halve it.

/** Kafka's socket.request.max.bytes is 100 MiB by default. Larger requests than this bring nothing. */
const MAX_BYTES = 8 * 2 ** 20;
/** Every broker takes so much; if it closes on less, the size is not why. */
const MIN_BYTES = 64 * 2 ** 10;
/** A limit that was learned is doubled after so long, in case the connections were closed for another reason. */
const RAISE_AFTER_MS = 10 * 60_000;

/** Requests that are rejected within so long were in flight on the same connection. */
const SAME_CONNECTION_MS = 20;
/** A closed connection says nothing about one that is closed so much later. */
const REPEATED_WITHIN_MS = 60_000;

export class RequestLimit {
  #bytes = MAX_BYTES;
  // The size of the request that the latest connection was closed on, 0 if a request of that size was answered since.
  #closedOn = 0;
  #closedAtMs = Number.NEGATIVE_INFINITY;
  #loweredAtMs = 0;

  /** Bytes of batches a request may hold. */
  get bytes(): number {
    if (this.#bytes < MAX_BYTES && performance.now() - this.#loweredAtMs > RAISE_AFTER_MS) {
      this.#bytes = Math.min(MAX_BYTES, 2 * this.#bytes);
      this.#loweredAtMs = performance.now();
    }
    return this.#bytes;
  }

  /** The broker answered a request of so many bytes. */
  noteAnswer(bytes: number): void {
    if (bytes >= this.#closedOn) this.#closedOn = 0;
  }

  /**
   * The broker closed the connection instead of answering.
   * @returns true if requests of this size have to be avoided from now on
   */
  noteClose(bytes: number): boolean {
    const now = performance.now();
    const sinceMs = now - this.#closedAtMs;
    if (bytes <= MIN_BYTES || sinceMs < SAME_CONNECTION_MS) return false;
    const isRepeated = sinceMs < REPEATED_WITHIN_MS && this.#closedOn > 0 && bytes >= this.#closedOn / 2;
    this.#closedAtMs = now;
    this.#closedOn = isRepeated ? 0 : bytes;
    if (!isRepeated) return false;
    this.#bytes = Math.max(MIN_BYTES, Math.min(this.#bytes, bytes) / 2);
    this.#loweredAtMs = now;
    return true;
  }
}
