// Slows down a connection that has used up its budget of refused lines or a rate: none of its lines is taken for a while.
// Nothing is dropped and the order stays. It takes and refuses no line itself.
import type { Deadlines } from './deadlines.ts';
import { ErrorBudget } from './error-budget.ts';
import { createLineRates, type LineRates, type RateOptions } from './line-rates.ts';
import { PAUSE, type ReadPauses } from './read-pauses.ts';

/** A connection that is slowed down for this long, because of its refused lines, is closed. */
export const TOO_MANY_ERRORS_MS = 30_000;
const RATE_LIMITED_EVERY_MS = 60_000;

export class Slowdown {
  readonly #deadlines: Deadlines;
  readonly #pauses: ReadPauses;
  readonly #rates: LineRates | undefined;
  // Most connections never need one.
  #errors: ErrorBudget | undefined;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(options: RateOptions, { deadlines, pauses }: { deadlines: Deadlines; pauses: ReadPauses }) {
    this.#deadlines = deadlines;
    this.#pauses = pauses;
    this.#rates = createLineRates(options, deadlines.nowMs);
  }

  /** True if each line has to be judged before the next one is taken. */
  get isOneByOne(): boolean {
    return this.#errors?.isUsedUp === true && !this.#pauses.has(PAUSE.stopping);
  }

  /**
   * A line was taken. True if the device has to be told that it is slowed down by a rate.
   * @param lines 0 for further bytes of the same line
   */
  lineTaken(bytes: number, lines = 1): boolean {
    if (this.#rates === undefined) return false;
    const { nowMs } = this.#deadlines;
    const waitMs = this.#rates.charge(bytes, nowMs, lines);
    if (waitMs === 0 || !this.#begin(waitMs) || nowMs - this.#toldMs < RATE_LIMITED_EVERY_MS) return false;
    this.#toldMs = nowMs;
    return true;
  }

  /** A line was refused. */
  lineRefused(): void {
    const { nowMs } = this.#deadlines;
    this.#errors ??= new ErrorBudget(nowMs);
    const waitMs = this.#errors.charge(nowMs);
    if (!this.#errors.isUsedUp) this.#deadlines.clear('errors');
    else if (!this.#deadlines.isSet('errors')) this.#deadlines.set('errors', TOO_MANY_ERRORS_MS);
    if (waitMs > 0) this.#begin(waitMs);
  }

  /** True if the refusals have stopped meanwhile. */
  hasRecovered(): boolean {
    return this.#errors?.hasRecovered(this.#deadlines.nowMs) ?? true;
  }

  /** Lines may be taken again. */
  end(): void {
    this.#deadlines.clear('slowed');
    this.#pauses.end(PAUSE.slowed);
  }

  /** False during a stop: it must not wait for a slow connection. */
  #begin(waitMs: number): boolean {
    if (this.#pauses.has(PAUSE.stopping)) return false;
    this.#pauses.begin(PAUSE.slowed);
    this.#deadlines.postpone('slowed', waitMs);
    return true;
  }
}
