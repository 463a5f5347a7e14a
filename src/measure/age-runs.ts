// The times at which things came, such as the lines of a batch, as runs of equal times: lines of one read, and of one
// millisecond, come one after the other. So a line costs a comparison and an increment, and its age is exact to the
// millisecond of its reception. It never reads a clock.
import type { Histogram } from './histogram.ts';

/** With more different times they are kept less exactly, and count as a bit earlier, so that memory is bounded. */
const MAX_TIMES = 64;

// Most batches at a low rate have one run. They share it until they keep an earlier one.
const NONE: number[] = [];

export class AgeRuns {
  #atMs = Number.NaN;
  #count = 0;
  // Of earlier runs: each time once, as a multiple of the step.
  #stepMs = 1;
  #times = NONE;
  #counts = NONE;

  /** @param atMs milliseconds since 1970 */
  add(atMs: number): void {
    if (atMs !== this.#atMs) this.#begin(atMs);
    this.#count++;
  }

  /** Records the age of everything that was added, in seconds. A clock that was set back makes it 0. */
  recordTo(histogram: Histogram, nowMs: number): void {
    for (let run = 0; run < this.#times.length; run++) {
      const ageMs = Math.max(0, nowMs - (this.#times[run] ?? nowMs));
      histogram.record(ageMs / 1000, this.#counts[run] ?? 0);
    }
    // Mostly the only one.
    if (this.#count > 0) histogram.record(Math.max(0, nowMs - this.#atMs) / 1000, this.#count);
  }

  clear(): void {
    this.#atMs = Number.NaN;
    this.#count = 0;
    this.#stepMs = 1;
    this.#times = NONE;
    this.#counts = NONE;
  }

  /** Takes over the times of another. */
  takeFrom(other: AgeRuns): void {
    other.#endRun();
    for (const [index, atMs] of other.#times.entries()) {
      this.#begin(atMs);
      this.#count = other.#counts[index] ?? 0;
    }
    other.clear();
  }

  #begin(atMs: number): void {
    this.#endRun();
    this.#atMs = atMs;
  }

  #endRun(): void {
    if (this.#count === 0) return;
    this.#keep(this.#atMs, this.#count);
    if (this.#times.length > MAX_TIMES) this.#coarsen();
    this.#count = 0;
    this.#atMs = Number.NaN;
  }

  #keep(atMs: number, count: number): void {
    if (this.#times === NONE) {
      this.#times = [];
      this.#counts = [];
    }
    const time = atMs - (atMs % this.#stepMs);
    const known = this.#times.lastIndexOf(time);
    if (known >= 0) this.#counts[known] = (this.#counts[known] ?? 0) + count;
    else {
      this.#times.push(time);
      this.#counts.push(count);
    }
  }

  #coarsen(): void {
    const [times, counts] = [this.#times, this.#counts];
    while (this.#times.length > MAX_TIMES / 2) {
      this.#stepMs *= 2;
      this.#times = [];
      this.#counts = [];
      for (const [index, atMs] of times.entries()) this.#keep(atMs, counts[index] ?? 0);
    }
  }
}
