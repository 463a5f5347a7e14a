// Connections that wait for their handshake. Addresses take turns, so that thousands of connections of one address delay
// a device of another address by one handshake only.

interface Waiting {
  /** The counted key of its address (address.ts). */
  readonly key: string;
}

export class HandshakeQueue<T extends Waiting> {
  /** In the order of turns. */
  readonly #byKey = new Map<string, Set<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(one: T): void {
    const all = this.#byKey.get(one.key) ?? new Set();
    this.#byKey.set(one.key, all.add(one));
    this.#size++;
  }

  /** It no longer waits. */
  delete(one: T): void {
    const all = this.#byKey.get(one.key);
    if (all === undefined || !all.delete(one)) return;
    this.#size--;
    if (all.size === 0) this.#byKey.delete(one.key);
  }

  /** Takes out the one whose turn it is. */
  next(): T | undefined {
    for (const [key, all] of this.#byKey) {
      this.#byKey.delete(key);
      for (const one of all) {
        all.delete(one);
        this.#size--;
        if (all.size > 0) this.#byKey.set(key, all);
        return one;
      }
    }
    return undefined;
  }
}
