// Exponential back-off with jitter: callers that failed together do not all retry at the same moment.
import { setMaxListeners } from 'node:events';

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Milliseconds to wait after the n-th failure in a row (1 = the first): half of the nominal delay up to all of it. */
export function backoffMs(
  failures: number,
  options: BackoffOptions,
  random: () => number = Math.random,
): number {
  const nominal = Math.min(options.maxMs, options.firstMs * 2 ** Math.min(30, failures - 1));
  return nominal * (0.5 + random() / 2);
}

/** Resolves after `ms`, or as soon as the signal is aborted. Its timer keeps the process alive. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    // Every partition may wait on one signal. Past ten, Node would print a warning of a leak into the log.
    setMaxListeners(0, signal);
    signal.addEventListener('abort', done);
  });
}
