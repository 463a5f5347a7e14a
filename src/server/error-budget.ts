// How many refused lines a connection may cause: each costs more than a good one, and earns a reply. It only counts; the
// connection slows itself down.
import { TokenBucket } from './token-bucket.ts';

// Lines that are in the queue when the budget is used up are refused as well. Without a limit to the debt, a device with
// good lines behind them would be closed.
const REFUSALS = { burst: 1000, perSecond: 10, maxDebt: 10 } as const;
/** The budget has recovered once it allows this many refusals: after 5 s without a refused line. */
const RECOVERED = 50;

export class ErrorBudget {
  readonly #bucket: TokenBucket;
  #isUsedUp = false;

  constructor(nowMs: number) {
    this.#bucket = new TokenBucket(REFUSALS, nowMs);
  }

  /** True from the time the budget was used up until it has recovered. */
  get isUsedUp(): boolean {
    return this.#isUsedUp;
  }

  /** A line was refused. Returns the milliseconds for which no further line should be taken. */
  charge(nowMs: number): number {
    this.hasRecovered(nowMs);
    const waitMs = this.#bucket.charge(1, nowMs);
    if (waitMs > 0) this.#isUsedUp = true;
    return waitMs;
  }

  hasRecovered(nowMs: number): boolean {
    if (this.#isUsedUp && this.#bucket.left(nowMs) >= RECOVERED) this.#isUsedUp = false;
    return !this.#isUsedUp;
  }
}
