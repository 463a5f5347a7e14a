// A time limit that starts again with every progress.

export class Patience {
  readonly #ms: number;
  #progress: unknown;
  #sinceMs = performance.now();

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** False once `progress` has been the same for the whole time. */
  lasts(progress: number | string): boolean {
    const nowMs = performance.now();
    if (progress !== this.#progress) this.#sinceMs = nowMs;
    this.#progress = progress;
    return nowMs - this.#sinceMs < this.#ms;
  }
}
