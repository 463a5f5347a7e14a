// A token bucket that may go into debt: it is charged for work that is done, and in debt no work may begin. It owns no
// timer and no clock.

export interface TokenBucketOptions {
  readonly perSecond: number;
  /** Tokens that may be charged at once. */
  readonly burst: number;
  /** Debt beyond this is forgiven. */
  readonly maxDebt?: number;
}

export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #maxDebt: number;
  #tokens: number;
  #filledAtMs: number;

  constructor({ perSecond, burst, maxDebt = Number.POSITIVE_INFINITY }: TokenBucketOptions, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#maxDebt = maxDebt;
    this.#tokens = burst;
    this.#filledAtMs = nowMs;
  }

  /** Tokens that are left; less than 1 in debt. */
  left(nowMs: number): number {
    const refilled = ((nowMs - this.#filledAtMs) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + refilled);
    this.#filledAtMs = nowMs;
    return this.#tokens;
  }

  /** Takes tokens. Returns the milliseconds until one is left again, 0 if one is left now. */
  charge(tokens: number, nowMs: number): number {
    this.#tokens = Math.max(this.left(nowMs) - tokens, -this.#maxDebt);
    return this.#tokens >= 1 ? 0 : ((1 - this.#tokens) * 1000) / this.#perSecond;
  }
}
