// Measures how late the event loop is, ten times a second. While the process does almost nothing, it only looks once a
// second whether that is still so: each wake-up of an idle process costs half a millisecond.
import { performance as nodePerformance } from 'node:perf_hooks';
import { OPERATION_SECONDS } from '../measure/buckets.ts';
import { Histogram, type HistogramValue } from '../measure/histogram.ts';
import { BEAT_MS, type Beat, beat } from '../time/beat.ts';

const INTERVAL_MS = 100;
const TICKS_A_BEAT = BEAT_MS / INTERVAL_MS;
/** 30 s: the default STATS_INTERVAL, and longer than a usual scrape interval. */
const SAMPLES = 300;
/** With less work between two beats, 99 of 100 events found the event loop waiting. */
const QUIET_MS = BEAT_MS / 100;
/** After so many quiet beats in a row the beat alone measures. */
const QUIET_BEATS = 5;
/** If the work was done in so few turns, one of them may have been most of it. */
const FEW_TURNS = 10;

/** What the event loop has done since its start. */
export interface LoopUse {
  /** Milliseconds in which it did not wait. */
  readonly activeMs: number;
  readonly turns: number;
}

export interface LoopLagOptions {
  readonly pace: Pick<Beat, 'follow'>;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  readonly use: () => LoopUse;
}

export class LoopLag {
  readonly #clock: () => number;
  readonly #use: () => LoopUse;
  readonly #endBeat: () => void;
  readonly #delays = new Histogram(OPERATION_SECONDS);
  readonly #window = new LagWindow(SAMPLES, INTERVAL_MS, (lateMs) => this.#delays.record(lateMs / 1000));
  #timer: NodeJS.Timeout | undefined;
  #lastTickAt = 0;
  #lastBeatAt: number;
  #lastUse: LoopUse;
  #quietBeats = 0;

  constructor({ pace = beat, clock = () => performance.now(), use = loopUse }: Partial<LoopLagOptions> = {}) {
    this.#clock = clock;
    this.#use = use;
    this.#lastBeatAt = clock();
    this.#lastUse = use();
    this.#begin();
    this.#endBeat = pace.follow(() => this.#onBeat());
  }

  get p99Seconds(): number {
    return this.#window.percentile(0.99) / 1000;
  }

  get delays(): HistogramValue {
    return this.#delays.value;
  }

  /** True while it wakes the process up for each measurement. */
  get isClose(): boolean {
    return this.#timer !== undefined;
  }

  stop(): void {
    this.#endBeat();
    this.#end();
  }

  #begin(): void {
    this.#lastTickAt = this.#clock();
    this.#timer = setInterval(() => {
      const now = this.#clock();
      this.#window.add(now - this.#lastTickAt - INTERVAL_MS);
      this.#lastTickAt = now;
    }, INTERVAL_MS).unref();
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #onBeat(): void {
    const now = this.#clock();
    const use = this.#use();
    const busyMs = use.activeMs - this.#lastUse.activeMs;
    const turns = use.turns - this.#lastUse.turns;
    const lateMs = now - this.#lastBeatAt - BEAT_MS;
    this.#lastBeatAt = now;
    this.#lastUse = use;
    const isQuiet = busyMs < QUIET_MS;
    this.#quietBeats = isQuiet ? this.#quietBeats + 1 : 0;
    if (this.isClose) {
      if (this.#quietBeats >= QUIET_BEATS) this.#end();
      return;
    }
    this.#window.add(turns <= FEW_TURNS ? Math.max(busyMs, lateMs) : lateMs);
    this.#window.repeat(isQuiet ? 0 : lateMs, TICKS_A_BEAT - 1);
    if (!isQuiet) this.#begin();
  }
}

function loopUse(): LoopUse {
  const { active } = nodePerformance.eventLoopUtilization();
  // Before Node 20.18 it does not tell the turns.
  const { uvMetricsInfo } = nodePerformance.nodeTiming;
  return { activeMs: active, turns: uvMetricsInfo?.loopCount ?? 0 };
}

/**
 * How late the last ticks were, in milliseconds.
 *
 * perf_hooks' monitorEventLoopDelay counts its own interval as delay, each reset loses the tick after it, and it takes a
 * stall of 2 s for a single sample, which the 99th percentile hides. Here a stall also counts for each tick it swallowed,
 * so the percentile is the wait of an event at a random moment (Gil Tene's correction for coordinated omission).
 */
export class LagWindow {
  readonly #samples: Float64Array;
  readonly #intervalMs: number;
  readonly #added: (lateMs: number) => void;
  #next = 0;
  #filled = 0;

  /** @param added called with each sample */
  constructor(samples: number, intervalMs: number, added: (lateMs: number) => void = () => {}) {
    this.#samples = new Float64Array(samples);
    this.#intervalMs = intervalMs;
    this.#added = added;
  }

  /** @param times how often the wait was this long */
  repeat(lateMs: number, times: number): void {
    for (let n = 0; n < times; n++) this.#push(Math.max(0, lateMs));
  }

  add(lateMs: number): void {
    this.#push(Math.max(0, lateMs));
    // Bounded by the window: a machine that was suspended for a night has missed millions of ticks.
    for (let missed = 1; missed < this.#samples.length; missed++) {
      const late = lateMs - missed * this.#intervalMs;
      if (late <= 0) return;
      this.#push(late);
    }
  }

  /** @param share from 0 to 1 @returns 0 before the first sample */
  percentile(share: number): number {
    const sorted = this.#samples.slice(0, this.#filled).sort();
    return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  }

  #push(lateMs: number): void {
    this.#added(lateMs);
    this.#samples[this.#next] = lateMs;
    this.#next = (this.#next + 1) % this.#samples.length;
    this.#filled = Math.min(this.#filled + 1, this.#samples.length);
  }
}
