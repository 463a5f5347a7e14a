// Random numbers of a world: each name has a stream of its own, which depends on the seed and the name alone. So one more
// draw from one stream changes no other one.
import { seededRandom } from '../../load/random.ts';

export class Random {
  readonly #next: () => number;

  /** @param name of the stream, such as `network` */
  constructor(seed: number, name: string) {
    this.#next = seededRandom(hashOf(`${seed}/${name}`));
  }

  /** From 0 to below 1. */
  next(): number {
    return this.#next();
  }

  /** An integer, both ends included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.#next() * (to - from + 1));
  }

  /** @throws RangeError if the list is empty */
  pick<T>(list: readonly T[]): T {
    const index = Math.floor(this.#next() * list.length);
    if (index >= list.length) throw new RangeError('an empty list has nothing to pick');
    return list[index] as T;
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.#next() < p;
  }

  bytes(count: number): Buffer<ArrayBuffer> {
    const bytes = Buffer.alloc(count);
    for (let at = 0; at < count; at++) bytes[at] = Math.floor(this.#next() * 256);
    return bytes;
  }
}

/** 32 bits, by FNV-1a and the last step of MurmurHash3: similar names give streams that have nothing in common. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
