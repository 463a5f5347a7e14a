// Finds a name that comes twice in an object, in time that grows with the names alone. Names are bytes in one buffer. One
// set can hold the names of several objects.
// The hash has a secret, so that no device can choose names that collide.
import { randomInt } from 'node:crypto';

const SECRET = 2 ** 31;
/** The hash before the first call of hashByte(). */
export const HASH_SEED = randomInt(SECRET);
const MULTIPLIER = 2 * randomInt(SECRET) + 1;

const FIRST_SLOTS = 64;

export class NameSet {
  #count = 0;
  // The position of each name, by its number from 0.
  #from = new Int32Array(FIRST_SLOTS);
  #to = new Int32Array(FIRST_SLOTS);
  #hash = new Int32Array(FIRST_SLOTS);
  // Open addressing: the number of a name plus 1, or 0 if the slot is free. A power of two of them is in use.
  #slots = new Int32Array(FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;

  clear(): void {
    this.#count = 0;
    this.#mask = FIRST_SLOTS - 1;
    this.#slots.fill(0, 0, FIRST_SLOTS);
  }

  /**
   * False if the object has the name already. All names have to be in the same bytes until clear().
   * @param byteHash the result of hashByte for its bytes
   * @param object the number of the object that has the name
   */
  add(byteHash: number, bytes: Uint8Array, from: number, to: number, object = 0): boolean {
    // Every step from here to the hash is reversible, so one name has another hash in each object.
    let hash = byteHash ^ Math.imul(object, MULTIPLIER);
    // The low bits of a product depend on low bits alone, and the slot is taken from the low bits.
    hash = Math.imul(hash ^ (hash >>> 16), MULTIPLIER);
    hash ^= hash >>> 15;
    let slot = hash & this.#mask;
    for (let entry = this.#slots[slot] as number; entry > 0; entry = this.#slots[slot] as number) {
      if (this.#hash[entry - 1] === hash && this.#isName(entry - 1, bytes, from, to)) return false;
      slot = (slot + 1) & this.#mask;
    }
    const index = this.#count++;
    this.#from[index] = from;
    this.#to[index] = to;
    this.#hash[index] = hash;
    this.#slots[slot] = index + 1;
    if (2 * this.#count > this.#mask) this.#grow();
    return true;
  }

  #isName(index: number, bytes: Uint8Array, from: number, to: number): boolean {
    let p = this.#from[index] as number;
    if ((this.#to[index] as number) - p !== to - from) return false;
    for (let q = from; q < to; q++) if (bytes[p++] !== bytes[q]) return false;
    return true;
  }

  #grow(): void {
    const slots = 4 * (this.#mask + 1);
    this.#mask = slots - 1;
    if (this.#slots.length < slots) {
      this.#slots = new Int32Array(slots);
      this.#from = resized(this.#from, slots / 2);
      this.#to = resized(this.#to, slots / 2);
      this.#hash = resized(this.#hash, slots / 2);
    } else {
      this.#slots.fill(0, 0, slots);
    }
    for (let index = 0; index < this.#count; index++) {
      let slot = (this.#hash[index] as number) & this.#mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = index + 1;
    }
  }
}

/** The hash of a name, one byte after the other. */
export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, MULTIPLIER);
}

export function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = HASH_SEED;
  for (let p = from; p < to; p++) hash = hashByte(hash, bytes[p] as number);
  return hash;
}

function resized(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}
