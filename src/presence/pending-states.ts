// The latest state of each key that has no room on its way to Kafka yet. A newer state of a key takes the place of the
// older one. Bounded by the number of keys.

export class PendingStates<S> {
  readonly #states = new Map<string, S>();
  /** Nobody has heard of these keys: their first state waits here. */
  readonly #unheard = new Set<string>();
  readonly #maxKeys: number;

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#states.size;
  }

  /**
   * `merged`: in the place of an older state. `full`: not kept, since too many keys wait.
   * @param isFirst the key is new
   */
  put(key: string, state: S, isFirst = false): 'added' | 'merged' | 'full' {
    const isKnown = this.#states.has(key);
    if (!isKnown && this.#states.size >= this.#maxKeys) return 'full';
    this.#states.set(key, state);
    if (isFirst) this.#unheard.add(key);
    return isKnown ? 'merged' : 'added';
  }

  /** True if nobody has heard of the key, and nobody has to any more. */
  forget(key: string): boolean {
    return this.#unheard.delete(key) && this.#states.delete(key);
  }

  /** The key that has waited longest, with its state, which leaves. */
  take(): readonly [key: string, state: S] | undefined {
    const first = this.#states.entries().next();
    if (first.done) return undefined;
    const [key] = first.value;
    this.#states.delete(key);
    this.#unheard.delete(key);
    return first.value;
  }
}
