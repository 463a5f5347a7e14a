// The greatest age of a connection: when its device should be told to go. It tells nobody itself.
import type { Deadlines } from './deadlines.ts';

/** At its greatest age a connection goes on for this long at most, until its device pauses for so long. */
const BURST = { maxMs: 5000, pauseMs: 200 };
/** By how much of it the greatest age differs between connections, so that a fleet does not leave all at once. */
const AGE_JITTER = 0.1;

export class MaxAge {
  readonly #deadlines: Deadlines;
  /** On the wheel's clock. */
  readonly #atMs: number;

  constructor(maxAgeMs: number, deadlines: Deadlines) {
    const inMs = Math.round(maxAgeMs * (1 + AGE_JITTER * (2 * Math.random() - 1)));
    this.#deadlines = deadlines;
    this.#atMs = deadlines.nowMs + inMs;
    deadlines.set('age', inMs);
  }

  /**
   * The deadline `age` has passed. False in the middle of a burst, and the deadline is set again: a connection that ends
   * there leaves more to send again.
   */
  isReached({ silentMs, isMidLine }: { silentMs: number; isMidLine: boolean }): boolean {
    const isBurst = silentMs < BURST.pauseMs || isMidLine;
    if (!isBurst || this.#deadlines.nowMs >= this.#atMs + BURST.maxMs) return true;
    this.#deadlines.set('age', BURST.pauseMs);
    return false;
  }
}
