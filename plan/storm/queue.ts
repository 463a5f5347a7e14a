// A queue of numbers, first in, first out, that grows without an object for each entry.

const FIRST_SIZE = 64;

export class NumberQueue {
  #entries = new Float64Array(FIRST_SIZE);
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(entry: number): void {
    if (this.#size === this.#entries.length) this.#grow();
    this.#entries[(this.#first + this.#size) & (this.#entries.length - 1)] = entry;
    this.#size++;
  }

  /** Undefined if the queue is empty. */
  shift(): number | undefined {
    if (this.#size === 0) return undefined;
    const entry = this.#entries[this.#first];
    this.#first = (this.#first + 1) & (this.#entries.length - 1);
    this.#size--;
    return entry;
  }

  #grow(): void {
    const grown = new Float64Array(this.#entries.length * 2);
    grown.set(this.#entries.subarray(this.#first));
    grown.set(this.#entries.subarray(0, this.#first), this.#entries.length - this.#first);
    this.#entries = grown;
    this.#first = 0;
  }
}
