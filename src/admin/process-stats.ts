// Measures memory, CPU time and the lag of the event loop. Reading never throws, also not when memory or descriptors
// have run out.
import { getHeapStatistics } from 'node:v8';
import { OPERATION_SECONDS } from '../measure/buckets.ts';
import { Histogram } from '../measure/histogram.ts';
import type { Snapshot } from './snapshot.ts';

/** 10 wake-ups a second cost 0.2 % of a core on an idle 2-core VM; 50 cost 1 %. */
const LAG_INTERVAL_MS = 100;
/** 30 s: the default STATS_INTERVAL, and longer than a usual scrape interval. */
const LAG_SAMPLES = 300;

export interface ProcessStats {
  read(): Snapshot['process'];
  /** Stops the lag timer. `read` still answers. */
  stop(): void;
}

export function startProcessStats(): ProcessStats {
  const delays = new Histogram(OPERATION_SECONDS);
  const lag = new LagWindow(LAG_SAMPLES, LAG_INTERVAL_MS, (lateMs) => delays.record(lateMs / 1000));
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    lag.add(now - last - LAG_INTERVAL_MS);
    last = now;
  }, LAG_INTERVAL_MS);
  timer.unref();

  const residentBytes = lastKnown(() => process.memoryUsage.rss());
  return {
    read: () => ({
      residentBytes: residentBytes(),
      // process.memoryUsage() would read /proc for the resident size too, and can throw.
      heapUsedBytes: getHeapStatistics().used_heap_size,
      cpuSeconds: cpuSeconds(process.cpuUsage()),
      eventLoopLagP99Seconds: lag.percentile(0.99) / 1000,
      eventLoopDelaySeconds: delays.value,
    }),
    stop: () => clearInterval(timer),
  };
}

const cpuSeconds = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1e6;

/** Gives the last value if `read` throws: rss() reads /proc, which fails with EMFILE when descriptors run out. */
export function lastKnown(read: () => number): () => number {
  let value = 0;
  return () => {
    try {
      value = read();
    } catch {
      // An old figure will do: whoever needs the descriptor reports the error.
    }
    return value;
  };
}

/**
 * How late the last timer ticks were, in milliseconds.
 *
 * perf_hooks' monitorEventLoopDelay counts its own interval as delay, one of its readers has to reset it, and it takes a
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
