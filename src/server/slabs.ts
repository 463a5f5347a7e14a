// Memory for the bytes that devices send. Each read gets a piece of a slab, and a slab is used again when the lines in
// all its pieces are done. A buffer for each read would be hundreds of MB a second outside of the heap, and the garbage
// collector would mark the whole heap again and again. A line that waits keeps its whole slab in memory, so slabs are
// scarce if many are held for few bytes, and their number is limited. Then each read gets memory of its own.
import { endianness } from 'node:os';

export const SLAB_BYTES = 256 * 1024;
/** 16 MiB of free slabs. */
const MAX_FREE = 64;
/** 64 MiB of slabs that are full and held. */
const MAX_HELD = 256;
/** So many may be held whatever is in them. */
const FREELY_HELD = 64;
/** More may be held if this part of them are bytes that wait. */
const MIN_PART = 1 / 3;
/** Up to this length a loop over words costs less than a view of the bytes and a call of set(). */
export const SHORT_BYTES = 400;
const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;
const IS_LITTLE_ENDIAN = endianness() === 'LE';

/** Memory that is read and written by bytes and by words of four. */
export class Memory {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly words: Int32Array<ArrayBuffer>;

  /** @param length a multiple of four */
  constructor(length: number) {
    this.bytes = Buffer.allocUnsafeSlow(length);
    this.words = new Int32Array(this.bytes.buffer);
  }

  /**
   * Writes the first bytes of `source` here. If they are few, up to three bytes behind them are overwritten.
   * @param at of the first byte
   */
  write(at: number, source: Memory, length: number): void {
    const word = Math.floor(at / WORD_BYTES);
    const before = at % WORD_BYTES;
    if (length > SHORT_BYTES || (before > 0 && !IS_LITTLE_ENDIAN))
      this.bytes.set(source.bytes.subarray(0, length), at);
    else if (before === 0) copyWords(source.words, this.words, word, Math.ceil(length / WORD_BYTES));
    else this.#writeShifted(word, before, source.words, length);
  }

  // Each word is put together from the end of one word of the source and the start of the next.
  #writeShifted(word: number, before: number, source: Int32Array, length: number): void {
    const count = Math.ceil(length / WORD_BYTES);
    const up = 8 * before;
    const down = 32 - up;
    let low = (this.words[word] as number) & ((1 << up) - 1);
    for (let i = 0; i < count; i++) {
      const next = source[i] as number;
      this.words[word + i] = low | (next << up);
      low = next >>> down;
    }
    if (before + length > WORD_BYTES * count) this.words[word + count] = low;
  }
}

export class Slab extends Memory {
  used = 0;
  holders = 0;
  /** No further piece fits. */
  full = false;

  constructor() {
    super(SLAB_BYTES);
  }
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
  copy(source: Memory, length: number): Piece {
    if (this.#current.used + length > SLAB_BYTES) {
      const isLimited = this.#held >= 2 * FREELY_HELD && this.areScarce;
      if (isLimited && this.#current.holders > 0) return ownCopy(source, length);
      this.#next();
    }
    const slab = this.#current;
    const from = slab.used;
    const bytes = slab.bytes.subarray(from, from + length);
    // Each piece begins with a word.
    slab.used += Math.ceil(length / WORD_BYTES) * WORD_BYTES;
    slab.write(from, source, length);
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

function copyWords(from: Int32Array, to: Int32Array, at: number, count: number): void {
  for (let word = 0; word < count; word++) to[at + word] = from[word] as number;
}

function ownCopy(source: Memory, length: number): Piece {
  const bytes = Buffer.allocUnsafeSlow(length);
  bytes.set(source.bytes.subarray(0, length));
  return { bytes, slab: undefined };
}

/** One for the process: connections read one after the other. */
export const slabs = new Slabs();
