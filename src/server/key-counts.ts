// Counts the connections that have a key, such as an address or a zipcode. It holds no key without a connection.

export class KeyCounts {
  readonly #counts = new Map<string, number>();

  /** Number of different keys. */
  get size(): number {
    return this.#counts.size;
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  remove(key: string): void {
    const left = this.of(key) - 1;
    if (left <= 0) this.#counts.delete(key);
    else this.#counts.set(key, left);
  }
}
