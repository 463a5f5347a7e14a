// Takes a sample every few seconds: memory and descriptors of the gateway's processes, rates and latencies of the load.
import { setTimeout as sleep } from 'node:timers/promises';
import type { LatencySummary } from '../../load/report/histogram.ts';
import type { Recent } from '../../load/report/totals.ts';
import type { Progress } from '../../load/run.ts';
import { descriptorsOf, residentBytesOf } from '../../scripts/lib/proc.ts';
import type { ServerProcess } from '../servers/server-process.ts';

/** The interval that ends `seconds` after the start of the load. Memory and descriptors are those at its end. */
export interface Sample {
  readonly seconds: number;
  /** Not judged, and without latencies. */
  readonly warmUp: boolean;
  /** Sums over all processes of the gateway. */
  readonly residentMiB: number;
  readonly descriptors: number;
  readonly processes: number;
  readonly sentPerSecond: number;
  readonly confirmedPerSecond: number;
  /** Milliseconds from the due time of a message. Absent if none was confirmed, or read, in the interval. */
  readonly confirmedMs?: LatencySummary;
  readonly consumerMs?: LatencySummary;
  /** From the gateway's /stats. */
  readonly connections: number;
  readonly spooled: number;
  readonly eventLoopLagP99Ms: number;
  readonly restarts: number;
}

export interface SamplerOptions {
  readonly server: ServerProcess;
  readonly everyMs: number;
  readonly warmUpMs: number;
  /** Called with each sample. */
  readonly taken: (sample: Sample, recent: Recent) => void;
}

const POLL_MS = 20;
const MIB = 2 ** 20;

/** Takes samples during the load. A last interval that is not whole is left out. */
export async function takeSamples(
  progress: () => Progress,
  { server, everyMs, warmUpMs, taken }: SamplerOptions,
  signal: AbortSignal,
): Promise<void> {
  const loading = () => progress().stage === 'load';
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
  const { pids } = server;
  const sum = (of: (pid: number) => number) => pids.reduce((total, pid) => total + of(pid), 0);
  const own = { residentMiB: sum(residentBytesOf) / MIB, descriptors: sum(descriptorsOf) };
  // Asked afterwards, because the request opens a descriptor.
  const { connections, records, process, processes } = await server.stats();
  return {
    ...own,
    processes: pids.length,
    connections: connections.active,
    spooled: records.spooled,
    eventLoopLagP99Ms: process.eventLoopLagP99Seconds * 1000,
    restarts: processes.restarts,
  };
}
