// Slows down a connection that has used up its budget of refused lines or a rate: none of its lines is taken for a while.
// Nothing is dropped and the order stays. It takes and refuses no line itself.
import type { Deadlines } from './deadlines.ts';
import { ErrorBudget } from './error-budget.ts';
import { createLineRates, hasRate, type LineRates, type RateOptions } from './line-rates.ts';
import { PAUSE, type ReadPauses } from './read-pauses.ts';

/** A connection that is slowed down for this long, because of its refused lines, is closed. */
export const TOO_MANY_ERRORS_MS = 30_000;
const RATE_LIMITED_EVERY_MS = 60_000;

export interface SlowdownParts {
  readonly deadlines: Deadlines;
  readonly readPauses: ReadPauses;
}

/** Most connections never need one. */
export class Slowdown {
  readonly #parts: SlowdownParts;
  readonly #rates: LineRates | undefined;
  #errors: ErrorBudget | undefined;
  #toldMs: number | undefined;

  constructor(options: RateOptions, parts: SlowdownParts) {
    this.#parts = parts;
    this.#rates = createLineRates(options, parts.deadlines.nowMs);
  }

  /** A slowdown if there is a rate. Without one the first refused line needs it. */
  static ifNeeded(options: RateOptions, parts: SlowdownParts): Slowdown | undefined {
    return hasRate(options) ? new Slowdown(options, parts) : undefined;
  }

  /** True if each line has to be judged before the next one is taken. */
  get isOneByOne(): boolean {
    return this.#errors?.isUsedUp === true && !this.#parts.readPauses.has(PAUSE.stopping);
  }

  /**
   * A line was taken. True if the device has to be told that it is slowed down by a rate.
   * @param lines 0 for further bytes of the same line
   */
  lineTaken(bytes: number, lines = 1): boolean {
    if (this.#rates === undefined) return false;
    const { nowMs } = this.#parts.deadlines;
    const waitMs = this.#rates.charge(bytes, nowMs, lines);
    if (waitMs === 0 || !this.#begin(waitMs)) return false;
    if (this.#toldMs !== undefined && nowMs - this.#toldMs < RATE_LIMITED_EVERY_MS) return false;
    this.#toldMs = nowMs;
    return true;
  }

  /** A line was refused. */
  lineRefused(): void {
    const { nowMs } = this.#parts.deadlines;
    this.#errors ??= new ErrorBudget(nowMs);
    const waitMs = this.#errors.charge(nowMs);
    if (!this.#errors.isUsedUp) this.#parts.deadlines.clear('errors');
    else if (!this.#parts.deadlines.isSet('errors')) this.#parts.deadlines.set('errors', TOO_MANY_ERRORS_MS);
    if (waitMs > 0) this.#begin(waitMs);
  }

  /** True if the refusals have stopped meanwhile. */
  hasRecovered(): boolean {
    return this.#errors?.hasRecovered(this.#parts.deadlines.nowMs) ?? true;
  }

  /** Lines may be taken again. */
  end(): void {
    this.#parts.deadlines.clear('slowed');
    this.#parts.readPauses.end(PAUSE.slowed);
  }

  /** False during a stop: it must not wait for a slow connection. */
  #begin(waitMs: number): boolean {
    if (this.#parts.readPauses.has(PAUSE.stopping)) return false;
    this.#parts.readPauses.begin(PAUSE.slowed);
    this.#parts.deadlines.postpone('slowed', waitMs);
    return true;
  }
}
