// What the process costs and how late its event loop runs. Reading it never throws, also not in the very
// trouble it is there to show (memory short, descriptors used up).
import { getHeapStatistics } from 'node:v8';
import type { Snapshot } from './snapshot.ts';

/**
 * 10 wake-ups a second: measured on an idle 2-core VM 0.2 % of a core, against 1 % at 20 ms. A busy loop
 * wakes anyway.
 */
const LAG_INTERVAL_MS = 100;
/** 30 s of samples, as long as the default STATS_INTERVAL and at least one scrape. */
const LAG_SAMPLES = 300;

export interface ProcessStats {
  read(): Snapshot['process'];
  /** Stops the lag timer; `read` goes on to answer. */
  stop(): void;
}

export function startProcessStats(): ProcessStats {
  const lag = new LagWindow(LAG_SAMPLES, LAG_INTERVAL_MS);
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
      // Not process.memoryUsage(): that opens /proc for the resident size too and throws with it.
      heapUsedBytes: getHeapStatistics().used_heap_size,
      cpuSeconds: cpuSeconds(),
      eventLoopLagP99Seconds: lag.percentile(0.99) / 1000,
    }),
    stop: () => clearInterval(timer),
  };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Keeps the last value of a reading that can fail: rss reads /proc and throws EMFILE when descriptors run out. */
export function lastKnown(read: () => number): () => number {
  let value = 0;
  return () => {
    try {
      value = read();
    } catch {
      // The figure is a moment old; the limit that was hit shows up where it stops work.
    }
    return value;
  };
}

/**
 * The lateness of the last so many timer ticks, in milliseconds.
 *
 * Why not perf_hooks' monitorEventLoopDelay: it counts its own interval as delay, has to be reset by one of
 * several readers, and a stall of 2 s is to it a single sample, which a 99th percentile hides. Here a stall
 * also counts for each tick it swallowed, as late as that one would have been, so the percentile is what
 * an event at a random moment waits. (Gil Tene's correction for "coordinated omission".)
 */
export class LagWindow {
  readonly #samples: Float64Array;
  readonly #intervalMs: number;
  #next = 0;
  #filled = 0;

  constructor(samples: number, intervalMs: number) {
    this.#samples = new Float64Array(samples);
    this.#intervalMs = intervalMs;
  }

  add(lateMs: number): void {
    this.#push(Math.max(0, lateMs));
    // Bounded by the window: after a suspended night the missed ticks are without number.
    for (let missed = 1; missed < this.#samples.length; missed++) {
      const late = lateMs - missed * this.#intervalMs;
      if (late <= 0) return;
      this.#push(late);
    }
  }

  /** `share` from 0 to 1; 0 while nothing has been measured. */
  percentile(share: number): number {
    const sorted = this.#samples.slice(0, this.#filled).sort();
    return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  }

  #push(lateMs: number): void {
    this.#samples[this.#next] = lateMs;
    this.#next = (this.#next + 1) % this.#samples.length;
    this.#filled = Math.min(this.#filled + 1, this.#samples.length);
  }
}
