// A set of whole numbers from 0, with one bit for each: 10 million messages take 1.25 MB.

const FIRST_BYTES = 64;

export class Bitmap {
  #bytes: Uint8Array;
  #count = 0;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = bytes;
    for (const byte of bytes) for (let rest = byte; rest > 0; rest &= rest - 1) this.#count++;
  }

  /** How many numbers the set holds. */
  get count(): number {
    return this.#count;
  }

  /** The set itself, not a copy. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** False if the set already held `number`. */
  add(number: number): boolean {
    const at = Math.floor(number / 8);
    if (at >= this.#bytes.length) this.#grow(at + 1);
    const before = this.#bytes[at] as number;
    const after = before | (1 << (number % 8));
    if (after === before) return false;
    this.#bytes[at] = after;
    this.#count++;
    return true;
  }

  has(number: number): boolean {
    const byte = this.#bytes[Math.floor(number / 8)] ?? 0;
    return (byte & (1 << (number % 8))) !== 0;
  }

  /** The numbers of the set from `from` on. */
  *present(from: number): Generator<number> {
    const end = this.#bytes.length * 8;
    for (let number = from; number < end; number++) {
      if (number % 8 === 0 && (this.#bytes[number / 8] ?? 0) === 0) number += 7;
      else if (this.has(number)) yield number;
    }
  }

  /** The numbers below `end` that the set does not hold. */
  *missing(end: number): Generator<number> {
    for (let number = 0; number < end; number++) {
      if (number % 8 === 0 && this.#bytes[number / 8] === 0xff) number += 7;
      else if (!this.has(number)) yield number;
    }
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(Math.max(FIRST_BYTES, bytes, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
