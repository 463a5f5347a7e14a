// Waits until the memory of a server is steady, for the scenarios about memory.
import { setTimeout as sleep } from 'node:timers/promises';

/** A silent connection must not be closed. */
export const SILENT_SETTINGS = {
  TCP_PROCESSES: '1',
  TCP_IDENTIFY_TIMEOUT: '30m',
  TCP_INACTIVITY_TIMEOUT: '30m',
} as const;

/** V8's memory reducer frees garbage about eight seconds after the last work. */
const MIN_SETTLE_MS = 15_000;
const MAX_SETTLE_MS = 60_000;
const SETTLE_POLL_MS = 1_000;
/** The size is steady once so many values in a row differ by less than a hundredth. */
const STEADY_LOOKS = 5;
const STEADY_SHARE = 0.01;

/** The resident size once it is steady, or after a minute. */
export async function settledBytes(residentBytes: () => number, signal: AbortSignal): Promise<number> {
  const startMs = performance.now();
  const looks: number[] = [];
  for (;;) {
    const bytes = residentBytes();
    looks.push(bytes);
    const last = looks.slice(-STEADY_LOOKS);
    const isSteady = Math.max(...last) - Math.min(...last) < STEADY_SHARE * bytes;
    const tookMs = performance.now() - startMs;
    if (tookMs > MAX_SETTLE_MS || (tookMs > MIN_SETTLE_MS && isSteady)) return bytes;
    await sleep(SETTLE_POLL_MS, undefined, { signal });
  }
}
