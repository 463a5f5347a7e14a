// Limits how often something may happen for each key: a burst, then a steady rate (the generic cell rate algorithm of
// ATM, with one number for each key). It holds no key longer than its debt lasts.

export interface RateOptions {
  /** Time that one event costs. */
  readonly intervalMs: number;
  /** Events that may come at once. */
  readonly burst: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

const SWEEP_EVERY_MS = 1000;

export class KeyRates {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  readonly #now: () => number;
  /** When the key will have no debt. */
  readonly #clearAtMs = new Map<string, number>();
  #sweptAtMs: number;

  constructor({ intervalMs, burst, now = () => performance.now() }: RateOptions) {
    this.#intervalMs = intervalMs;
    this.#burstMs = (burst - 1) * intervalMs;
    this.#now = now;
    this.#sweptAtMs = now();
  }

  /** Number of keys with a debt. */
  get size(): number {
    return this.#clearAtMs.size;
  }

  /**
   * Counts one event. Returns the milliseconds that it has to wait.
   * @param maxWaitMs an event that would have to wait longer is not counted
   */
  take(key: string, maxWaitMs: number): number {
    const nowMs = this.#now();
    this.#sweep(nowMs);
    const clearAtMs = Math.max(nowMs, this.#clearAtMs.get(key) ?? 0);
    const waitMs = this.#waitMs(clearAtMs, nowMs);
    if (waitMs <= maxWaitMs) this.#clearAtMs.set(key, clearAtMs + this.#intervalMs);
    return waitMs;
  }

  /** An event did not count after all. */
  giveBack(key: string): void {
    const clearAtMs = this.#clearAtMs.get(key);
    if (clearAtMs !== undefined) this.#clearAtMs.set(key, clearAtMs - this.#intervalMs);
  }

  /** The milliseconds that an event would have to wait now. Counts nothing. */
  waitMs(key: string): number {
    return this.#waitMs(this.#clearAtMs.get(key) ?? 0, this.#now());
  }

  #waitMs(clearAtMs: number, nowMs: number): number {
    return Math.max(0, clearAtMs - nowMs - this.#burstMs);
  }

  #sweep(nowMs: number): void {
    if (nowMs < this.#sweptAtMs + SWEEP_EVERY_MS) return;
    this.#sweptAtMs = nowMs;
    for (const [key, clearAtMs] of this.#clearAtMs) if (clearAtMs <= nowMs) this.#clearAtMs.delete(key);
  }
}
