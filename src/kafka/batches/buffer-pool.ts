// A pool of the buffers that batches are gathered and sealed in. Allocating a buffer for each batch costs more than
// filling it. Buffers that wait for the garbage collector are memory that no limit counts, and because they lie outside
// the heap, every few dozen megabytes of them would make the collector mark the whole heap.

const MIN_SHIFT = 12;
/** Buffer sizes between one power of two and the next. */
const STEPS = 4;

export class BufferPool {
  readonly #maxBytes: number;
  /** Free buffers by size. The size that was used last is at the end. */
  readonly #free = new Map<number, Buffer[]>();
  #latest: { readonly size: number; readonly list: Buffer[] } | undefined;
  #bytes = 0;

  /** @param maxBytes limit of the free buffers; above it, buffers are left to the garbage collector */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the free buffers. */
  get freeBytes(): number {
    return this.#bytes;
  }

  /** A buffer of at least `bytes` bytes with arbitrary content. */
  take(bytes: number): Buffer {
    const size = sizeFor(bytes);
    // A free buffer of up to twice the size is better than a new one.
    for (let other = size; other < 2 * size; other = sizeFor(other + 1)) {
      const found = this.#free.get(other)?.pop();
      if (found === undefined) continue;
      this.#touch(other);
      this.#bytes -= other;
      return found;
    }
    return Buffer.allocUnsafeSlow(size);
  }

  /** Returns a buffer of take() to the pool. Nobody may read it afterwards. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    if (!this.#hasRoomFor(size)) return;
    this.#touch(size).push(buffer);
    this.#bytes += size;
  }

  #touch(size: number): Buffer[] {
    const latest = this.#latest;
    if (latest?.size === size) return latest.list;
    const list = this.#free.get(size) ?? [];
    this.#free.delete(size);
    this.#free.set(size, list);
    this.#latest = { size, list };
    return list;
  }

  /** Makes room by dropping buffers of sizes that were not used lately, since batches may have grown. */
  #hasRoomFor(size: number): boolean {
    const limit = this.#maxBytes - size;
    if (this.#bytes <= limit) return true;
    for (const [other, list] of this.#free) {
      if (other === size) continue;
      while (this.#bytes > limit && list.pop() !== undefined) this.#bytes -= other;
      if (this.#bytes <= limit) return true;
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

/** One pool for all partitions of the process. */
export const batchBuffers = new BufferPool(32 * 2 ** 20);
