// Measures memory, CPU time and the lag of the event loop. Reading never throws, also not when memory or descriptors
// have run out.
import { getHeapStatistics } from 'node:v8';
import { LoopLag } from './loop-lag.ts';
import type { Snapshot } from './snapshot.ts';

export interface ProcessStats {
  read(): Snapshot['process'];
  /** Stops the measurement of the lag. `read` still answers. */
  stop(): void;
}

export function startProcessStats(): ProcessStats {
  const lag = new LoopLag();
  const residentBytes = lastKnown(() => process.memoryUsage.rss());
  return {
    read: () => ({
      residentBytes: residentBytes(),
      // process.memoryUsage() would read /proc for the resident size too, and can throw.
      heapUsedBytes: getHeapStatistics().used_heap_size,
      cpuSeconds: cpuSeconds(process.cpuUsage()),
      eventLoopLagP99Seconds: lag.p99Seconds,
      eventLoopDelaySeconds: lag.delays,
    }),
    stop: () => lag.stop(),
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
