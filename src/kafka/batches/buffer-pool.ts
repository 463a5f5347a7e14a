// Memory that batches are gathered and sealed in, used again and again: allocating it for each batch costs more than
// filling it, and what the collector has not come round to is memory that no limit counts. It lies outside of the
// heap, so that the collector would also mark the whole heap for each few dozen megabytes of it.

const MIN_SHIFT = 12;
/** Sizes from a power of two to the next. */
const STEPS = 4;

export class BufferPool {
  readonly #maxBytes: number;
  /** Free buffers by their size, the size that was last used at the end. */
  readonly #free = new Map<number, Buffer[]>();
  #bytes = 0;

  /** @param maxBytes of buffers kept for later; more are left to the collector */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the buffers kept for later. */
  get freeBytes(): number {
    return this.#bytes;
  }

  /** A buffer of at least `bytes`, its content arbitrary. */
  take(bytes: number): Buffer {
    const size = sizeFor(bytes);
    // Rather one up to twice as large than a new one.
    for (let other = size; other < 2 * size; other = sizeFor(other + 1)) {
      const found = this.#free.get(other)?.pop();
      if (found === undefined) continue;
      this.#touch(other);
      this.#bytes -= other;
      return found;
    }
    return Buffer.allocUnsafeSlow(size);
  }

  /** Gives a buffer back that came from take() and that nobody reads any more. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    if (!this.#hasRoomFor(size)) return;
    this.#touch(size).push(buffer);
    this.#bytes += size;
  }

  #touch(size: number): Buffer[] {
    const list = this.#free.get(size) ?? [];
    this.#free.delete(size);
    this.#free.set(size, list);
    return list;
  }

  /** Gives up buffers of sizes that were not used lately: batches may have grown since. */
  #hasRoomFor(size: number): boolean {
    const most = this.#maxBytes - size;
    if (this.#bytes <= most) return true;
    for (const [other, list] of this.#free) {
      if (other === size) continue;
      while (this.#bytes > most && list.pop() !== undefined) this.#bytes -= other;
      if (this.#bytes <= most) return true;
      this.#free.delete(other);
    }
    return false;
  }
}

function sizeFor(bytes: number): number {
  const power = 2 ** Math.max(MIN_SHIFT, 31 - Math.clz32(bytes));
  const step = power / STEPS;
  return Math.max(power, Math.ceil(bytes / step) * step);
}

/** One pool for the process: batches of all partitions come and go in turn. */
export const batchBuffers = new BufferPool(32 * 2 ** 20);
