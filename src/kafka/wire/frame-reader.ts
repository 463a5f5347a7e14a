// Cuts a broker's byte stream into frames: four bytes with the size, then the body
// (https://kafka.apache.org/protocol#protocol_common). It holds at most one unfinished frame, and refuses frames above
// its limit.

const SIZE_BYTES = 4;

export class FrameReader {
  readonly #maxBytes: number;
  #size = 0;
  #sizeBytesRead = 0;
  #body: Buffer | undefined;
  #filled = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Calls `onFrame` with the body of each frame that ends in this chunk, until it returns false. A body is valid only
   * during the call.
   * @returns the announced size if it is above the limit or negative; nothing can be read after that
   */
  push(chunk: Buffer, onFrame: (body: Buffer) => boolean): number | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#sizeBytesRead < SIZE_BYTES) {
        // `|` makes a signed 32-bit number, as in the protocol.
        this.#size = (this.#size << 8) | (chunk[at++] ?? 0);
        if (++this.#sizeBytesRead < SIZE_BYTES) continue;
        if (this.#size < 0 || this.#size > this.#maxBytes) return this.#size;
      }
      const body = this.#take(chunk, at);
      at += body.bytesTaken;
      if (body.whole === undefined) continue;
      this.#size = 0;
      this.#sizeBytesRead = 0;
      if (!onFrame(body.whole)) return undefined;
    }
    return undefined;
  }

  // Nearly all frames lie in one chunk, and need no copy.
  #take(chunk: Buffer, at: number): { bytesTaken: number; whole: Buffer | undefined } {
    const missing = this.#size - this.#filled;
    const bytesTaken = Math.min(missing, chunk.length - at);
    if (this.#body === undefined && bytesTaken === missing) {
      return { bytesTaken, whole: chunk.subarray(at, at + bytesTaken) };
    }
    this.#body ??= Buffer.allocUnsafe(this.#size);
    chunk.copy(this.#body, this.#filled, at, at + bytesTaken);
    this.#filled += bytesTaken;
    if (this.#filled < this.#size) return { bytesTaken, whole: undefined };
    const whole = this.#body;
    this.#body = undefined;
    this.#filled = 0;
    return { bytesTaken, whole };
  }
}
