// Clock and timers of a wheel for tests in which time passes only when they say so.
import type { WheelTimers } from '../../src/server/timer-wheel.ts';

export class ManualTimers implements WheelTimers {
  readonly #waiting = new Set<{ readonly atMs: number; readonly call: () => void }>();
  #nowMs = 0;

  readonly clock = () => this.#nowMs;

  after(ms: number, call: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, call };
    this.#waiting.add(timer);
    return () => void this.#waiting.delete(timer);
  }

  everySecond(call: () => void): () => void {
    let end = () => {};
    const next = () => {
      end = this.after(1000, () => {
        next();
        call();
      });
    };
    next();
    return () => end();
  }

  /** Each timer fires at its time. */
  pass(ms: number): void {
    for (const untilMs = this.#nowMs + ms; this.#nowMs < untilMs; ) {
      const next = Math.min(untilMs, ...[...this.#waiting].map(({ atMs }) => atMs));
      this.stall(Math.max(0, next - this.#nowMs));
    }
  }

  /** As one long turn of the event loop: the timers that are due meanwhile fire at its end. */
  stall(ms: number): void {
    this.#nowMs += ms;
    const due = [...this.#waiting].filter(({ atMs }) => atMs <= this.#nowMs);
    // An earlier one may have ended it.
    for (const timer of due.sort((one, other) => one.atMs - other.atMs))
      if (this.#waiting.delete(timer)) timer.call();
  }
}
