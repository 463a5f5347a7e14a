// `sluice spool drain`: its time limit, its signals and its exit code. drain-spool.ts sends the records.
import { durationText } from '../../config/kinds.ts';
import type { Settings } from '../../config/settings.ts';
import { say } from '../output.ts';
import type { DrainOptions } from './command.ts';
import { drainSpool, type Until } from './drain-spool.ts';

const EXIT_MS = 500;

export async function drain(settings: Settings, options: DrainOptions): Promise<number> {
  const { topic, timeout } = options;
  const directory = settings.SPOOL_DIR;
  const stop = stopOnSignals();
  const until = { deadlineMs: performance.now() + timeout, signal: stop.signal };
  try {
    const { found, reason } = await drainSpool(settings, topic ?? null, until);
    if (reason !== null) {
      say(`${whyEnded(until, timeout)}: ${reason}. The rest is still in ${directory}`);
      return 1;
    }
    if (!found) say(`nothing${topic === undefined ? '' : ` of topic ${topic}`} in ${directory}`);
    return 0;
  } finally {
    stop.dispose();
    // As in serve.ts: a handle that someone forgot to close must not keep the process alive.
    setTimeout(() => process.exit(), EXIT_MS).unref();
  }
}

function whyEnded({ deadlineMs, signal }: Until, timeoutMs: number): string {
  if (signal.aborted) return 'stopped';
  return performance.now() < deadlineMs ? 'not sent' : `not empty after ${durationText(timeoutMs)}`;
}

/** The first signal ends the drain in order, a second one ends the process. */
function stopOnSignals(): { signal: AbortSignal; dispose: () => void } {
  const abort = new AbortController();
  const stop = () => abort.abort();
  const dispose = () => void process.off('SIGINT', stop).off('SIGTERM', stop);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return { signal: abort.signal, dispose };
}
