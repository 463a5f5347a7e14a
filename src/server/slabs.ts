// Memory for the bytes that devices send. Each read gets a piece of a slab, and a slab is used again when the lines in
// all its pieces are done. A buffer for each read would be hundreds of MB a second outside of the heap, and the garbage
// collector would mark the whole heap again and again. A line that waits keeps its whole slab in memory, so slabs are
// scarce if many are held for few bytes, and their number is limited. Then each read gets memory of its own.

export const SLAB_BYTES = 256 * 1024;
/** 16 MiB of free slabs. */
const MAX_FREE = 64;
/** 128 MiB of slabs that are full and held. */
const MAX_HELD = 512;
/** So many may be held whatever is in them. */
const FREELY_HELD = 64;
/** More may be held if this part of them are bytes that wait. */
const MIN_PART = 1 / 3;
/** Up to this length a loop costs less than a view of the bytes and a call of set(). */
const SHORT_BYTES = 512;

export class Slab {
  readonly bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  used = 0;
  holders = 0;
  /** No further piece fits. */
  full = false;
}

/** A piece of a slab, or memory of its own. The bytes in a slab stay while somebody holds the slab. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly slab: Slab | undefined;
}

export class Slabs {
  readonly #free: Slab[] = [];
  #current = new Slab();
  #held = 0;
  /** Bytes of lines that wait in slabs. Those who hold slabs for them count them here. */
  waitingBytes = 0;

  /** Lines that wait should keep no further slab. */
  get areScarce(): boolean {
    const held = this.#held;
    return held >= FREELY_HELD && (held >= MAX_HELD || this.waitingBytes < MIN_PART * SLAB_BYTES * held);
  }

  /** A copy of the first bytes of `source`, at most SLAB_BYTES. Hold its slab before the next call. */
  copy(source: Uint8Array, length: number): Piece {
    if (this.#current.used + length > SLAB_BYTES) {
      const isLimited = this.#held >= 2 * FREELY_HELD && this.areScarce;
      if (isLimited && this.#current.holders > 0) return ownCopy(source, length);
      this.#next();
    }
    const slab = this.#current;
    const bytes = slab.bytes.subarray(slab.used, slab.used + length);
    if (length <= SHORT_BYTES) for (let i = 0; i < length; i++) bytes[i] = source[i] as number;
    else bytes.set(source.subarray(0, length));
    slab.used += length;
    return { bytes, slab };
  }

  hold(slab: Slab): void {
    slab.holders++;
  }

  release(slab: Slab): void {
    slab.holders--;
    if (!slab.full || slab.holders > 0) return;
    this.#held--;
    this.#give(slab);
  }

  #next(): void {
    const slab = this.#current;
    slab.full = true;
    if (slab.holders === 0) this.#give(slab);
    else this.#held++;
    this.#current = this.#free.pop() ?? new Slab();
    this.#current.used = 0;
    this.#current.full = false;
  }

  #give(slab: Slab): void {
    if (this.#free.length < MAX_FREE) this.#free.push(slab);
  }
}

function ownCopy(source: Uint8Array, length: number): Piece {
  const bytes = Buffer.allocUnsafeSlow(length);
  bytes.set(source.subarray(0, length));
  return { bytes, slab: undefined };
}

/** One for the process: connections read one after the other. */
export const slabs = new Slabs();
