// Buffers that batches are gathered in, used again and again: allocating one for each batch costs more than
// filling it, and what the collector has not come round to is memory that no limit counts.

const LEAST_SHIFT = 12;

export class BufferPool {
  readonly #maxBytes: number;
  readonly #free = new Map<number, Buffer[]>();
  #bytes = 0;

  /** @param maxBytes of buffers kept for later; more are left to the collector */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A buffer of at least `bytes`, its content arbitrary. */
  take(bytes: number): Buffer {
    const size = 2 ** Math.max(LEAST_SHIFT, Math.ceil(Math.log2(bytes)));
    const found = this.#free.get(size)?.pop();
    if (found === undefined) return Buffer.allocUnsafeSlow(size);
    this.#bytes -= size;
    return found;
  }

  /** Gives a buffer back that came from take() and that nobody reads any more. */
  give(buffer: Buffer): void {
    if (this.#bytes + buffer.length > this.#maxBytes) return;
    this.#bytes += buffer.length;
    const list = this.#free.get(buffer.length);
    if (list === undefined) this.#free.set(buffer.length, [buffer]);
    else list.push(buffer);
  }
}

/** One pool for the process: batches of all partitions come and go in turn. */
export const batchBuffers = new BufferPool(16 * 2 ** 20);
