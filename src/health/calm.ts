// How long something has to be well before its trouble counts as over. If it soon begins again, the time doubles, so that
// a trouble that comes and goes does not fill the log.

export interface CalmOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** A trouble that begins later than this after the last one has the first time again. */
  readonly forgetMs: number;
}

export class Calm {
  readonly #options: CalmOptions;
  #ms: number;
  #overAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: CalmOptions) {
    this.#options = options;
    this.#ms = options.firstMs;
  }

  get ms(): number {
    return this.#ms;
  }

  /** @param now monotonic milliseconds, as in over() */
  began(now: number): void {
    const { firstMs, maxMs, forgetMs } = this.#options;
    this.#ms = now - this.#overAtMs < forgetMs ? Math.min(maxMs, 2 * this.#ms) : firstMs;
  }

  over(now: number): void {
    this.#overAtMs = now;
  }
}
