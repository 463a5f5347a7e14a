// Learns how large a Produce request to one broker may be. A broker that finds a request too large only closes the
// connection, so two closed connections in a row halve the limit.

/** Kafka's socket.request.max.bytes is 100 MiB by default, but requests above 8 MiB bring no more throughput. */
const MAX_BYTES = 8 * 2 ** 20;
/** Every broker takes this much. If it closes the connection on less, size is not the reason. */
const MIN_BYTES = 64 * 2 ** 10;
/** A learned limit is doubled after this time, in case the connections were closed for another reason. */
const RAISE_AFTER_MS = 10 * 60_000;

/** Requests that fail within this time of each other were in flight on the same connection. */
const SAME_CONNECTION_MS = 20;
/** Two closed connections count as in a row only within this time. */
const REPEATED_WITHIN_MS = 60_000;

export class RequestLimit {
  #bytes = MAX_BYTES;
  // Size of the request that the latest connection was closed on; 0 if a request of that size was answered since.
  #closedOn = 0;
  #closedAtMs = Number.NEGATIVE_INFINITY;
  #loweredAtMs = 0;

  /** How many bytes of batches a request may hold. */
  get bytes(): number {
    if (this.#bytes < MAX_BYTES && performance.now() - this.#loweredAtMs > RAISE_AFTER_MS) {
      this.#bytes = Math.min(MAX_BYTES, 2 * this.#bytes);
      this.#loweredAtMs = performance.now();
    }
    return this.#bytes;
  }

  /** The broker answered a request of this size. */
  noteAnswer(bytes: number): void {
    if (bytes >= this.#closedOn) this.#closedOn = 0;
  }

  /**
   * The broker closed the connection instead of answering.
   * @returns true if requests of this size must be avoided from now on
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
