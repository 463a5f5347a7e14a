// What the gateway's processes hold and how late its messages are, looked at from outside every few seconds.
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LatencySummary } from '../../src/load/histogram.ts';
import type { Progress } from '../../src/load/run.ts';
import type { Recent } from '../../src/load/totals.ts';
import type { ServerProcess } from '../bench/server-process.ts';

/** The interval that ended at `seconds` after the load began; what is held is as of its end. */
export interface Sample {
  readonly seconds: number;
  /** Not judged, and without latencies: compilers and caches get ready. */
  readonly warmUp: boolean;
  /** Of all processes of the gateway. */
  readonly residentMiB: number;
  readonly descriptors: number;
  readonly processes: number;
  readonly sentPerSecond: number;
  readonly confirmedPerSecond: number;
  /** Milliseconds from when a message was due; absent where none was confirmed, or read, in the interval. */
  readonly confirmedMs?: LatencySummary;
  readonly consumerMs?: LatencySummary;
  /** As the gateway's /stats have them. */
  readonly connections: number;
  readonly spooled: number;
  readonly eventLoopLagP99Ms: number;
  readonly restarts: number;
}

export interface SamplerOptions {
  readonly server: ServerProcess;
  readonly everyMs: number;
  readonly warmUpMs: number;
  /** Called after each. */
  readonly taken: (sample: Sample, recent: Recent) => void;
}

const POLL_MS = 20;
const MIB = 2 ** 20;

/** Takes samples from the begin of the load to its end; a last interval that is not whole is left out. */
export async function takeSamples(
  progress: () => Progress,
  { server, everyMs, warmUpMs, taken }: SamplerOptions,
  signal: AbortSignal,
): Promise<void> {
  const loading = () => progress().phase === 'load';
  while (!loading()) await sleep(POLL_MS, undefined, { signal });
  const startMs = performance.now();
  progress().totals.takeRecent();
  for (let number = 1; ; number++) {
    await sleep(Math.max(0, startMs + number * everyMs - performance.now()), undefined, { signal });
    if (!loading()) return;
    const recent = progress().totals.takeRecent();
    const warmUp = (number - 1) * everyMs < warmUpMs;
    const seconds = (number * everyMs) / 1000;
    taken({ seconds, warmUp, ...rates(recent), ...(await held(server)) }, recent);
  }
}

function rates({ sentPerSecond, confirmedPerSecond, confirmed, consumed }: Recent) {
  return {
    sentPerSecond,
    confirmedPerSecond,
    ...(confirmed.count > 0 && { confirmedMs: confirmed }),
    ...(consumed.count > 0 && { consumerMs: consumed }),
  };
}

async function held(server: ServerProcess) {
  const pids = await server.pids();
  const each = await Promise.all(pids.map(heldBy));
  // Only then asked for its figures, which takes a descriptor for a while.
  const { connections, records, process, processes } = await server.stats();
  return {
    residentMiB: each.reduce((sum, { residentBytes }) => sum + residentBytes, 0) / MIB,
    descriptors: each.reduce((sum, { descriptors }) => sum + descriptors, 0),
    processes: pids.length,
    connections: connections.active,
    spooled: records.spooled,
    eventLoopLagP99Ms: process.eventLoopLagP99Seconds * 1000,
    restarts: processes.restarts,
  };
}

/** From proc(5); Linux only. */
export async function heldBy(pid: string): Promise<{ residentBytes: number; descriptors: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
  return { residentBytes: kibibytes * 1024, descriptors };
}
