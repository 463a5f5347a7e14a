// A seeded random generator, so that a run can be repeated as far as its timing allows.
import { seededRandom } from '../../load/random.ts';

export class Random {
  /** From 0 to below 1. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seededRandom(seed);
  }

  /** An integer in [from, to]. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  /** Text that hardly compresses. */
  text(length: number): string {
    let text = '';
    while (text.length < length) text += Math.floor(this.next() * 2 ** 32).toString(36);
    return text.slice(0, length);
  }
}
