// Measures one point once, on a fresh gateway: at full speed, then at the paced rate. Then proves that every message
// arrived.
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadPlan } from '../../load/plan.ts';
import type { LoadResult } from '../../load/report/result.ts';
import { type Progress, runLoad } from '../../load/run.ts';
import { ordinaryPlan, type PlanOptions, readLive } from '../load-plan.ts';
import { type OwnGateway, proveAllThere, withOwnGateway } from '../servers/own-gateway.ts';
import type { ServerProcess } from '../servers/server-process.ts';
import { type Point, settingsOf } from './dimensions.ts';
import type { PointRun } from './result.ts';

export interface MeasureOptions {
  readonly bootstrap: string;
  /** Of each of the two measured windows. */
  readonly seconds: number;
  /** Messages a second of the paced part. */
  readonly rate: number;
  /** At full speed. */
  readonly linesPerWrite: number;
  /** Over the settings of the point. */
  readonly settings: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

interface Mark {
  readonly confirmed: number;
  readonly atMs: number;
  readonly cpuSeconds: number;
}

/** Share of the measured window, so that short trials stay short. */
const WARM_UP_SHARE = 0.5;
const PACED_WARM_UP_MS = 1_000;
/** The second mark ends the load long before. */
const MAX_LOAD_MS = 600_000;
const POLL_MS = 5;
/** Unconfirmed messages of all devices together: enough to keep every stage full. */
const UNCONFIRMED = 100_000;

/** Rejects if a message is lost, refused or duplicated, with the end of the gateway's log. */
export function measurePoint(point: Point, options: MeasureOptions): Promise<PointRun> {
  const { bootstrap } = options;
  const settings = { ...settingsOf(point), ...options.settings };
  return withOwnGateway({ bootstrap, name: 'scaling', settings }, async (gateway) => {
    const full = await fullSpeed(gateway, point, options);
    const paced = await atPace(gateway, point, options);
    const messages = full.messages + paced.messages;
    await proveAllThere(gateway, bootstrap, messages);
    return { ...full, ...paced, messages };
  });
}

/** Measures between two marks during the load, so connecting and draining do not count. */
async function fullSpeed({ server }: OwnGateway, point: Point, options: MeasureOptions) {
  const { seconds, linesPerWrite, signal } = options;
  const windowMs = seconds * 1000;
  const plan = ordinaryPlan({
    ...common(server, point),
    rate: 0,
    durationMs: MAX_LOAD_MS,
    linesPerWrite,
    window: Math.max(linesPerWrite, Math.round(UNCONFIRMED / point.connections)),
  });
  const [marked, over] = [new AbortController(), new AbortController()];
  let marking: Promise<[Mark, Mark]> | undefined;
  let result: LoadResult;
  try {
    result = await loaded(plan, { signal, end: marked.signal }, (progress) => {
      const times = { warmUpMs: windowMs * WARM_UP_SHARE, windowMs };
      marking = marksWithin(progress, server, { ...times, signal: over.signal });
      marking.catch(() => {}).finally(() => marked.abort());
    });
  } finally {
    over.abort();
  }
  const [from, to] = (await marking) as [Mark, Mark];
  const confirmed = to.confirmed - from.confirmed;
  return {
    perSecond: (confirmed * 1000) / (to.atMs - from.atMs),
    cpuUs: ((to.cpuSeconds - from.cpuSeconds) * 1e6) / confirmed,
    messages: result.counts.messages,
  };
}

async function atPace({ server, topic }: OwnGateway, point: Point, options: MeasureOptions) {
  const { bootstrap, seconds, rate, signal } = options;
  const plan = ordinaryPlan({
    ...common(server, point),
    rate,
    durationMs: PACED_WARM_UP_MS + seconds * 1000,
    warmUpMs: PACED_WARM_UP_MS,
    readBack: readLive(bootstrap, topic),
  });
  const { latencyMs, counts, confirmedPerSecond } = await loaded(plan, { signal }, () => {});
  const { consumed } = latencyMs;
  if (consumed === undefined) throw new Error('no latency was measured');
  return {
    p50Ms: consumed.p50,
    p99Ms: consumed.p99,
    pacedPerSecond: confirmedPerSecond,
    messages: counts.messages,
  };
}

const common = (
  server: ServerProcess,
  { connections }: Point,
): Pick<PlanOptions, 'target' | 'connections'> => ({
  target: { host: '127.0.0.1', port: server.tcpPort },
  connections,
});

/** Ends early with `end`. Rejects if the load finds a fault or `signal` is aborted. */
async function loaded(
  plan: LoadPlan,
  { signal, end }: { readonly signal: AbortSignal; readonly end?: AbortSignal },
  started: (progress: () => Progress) => void,
): Promise<LoadResult> {
  signal.throwIfAborted();
  // A new signal, so that the listeners of the load are dropped with it.
  const either = AbortSignal.any(end === undefined ? [signal] : [signal, end]);
  const result = await runLoad(plan, { started }, either);
  signal.throwIfAborted();
  if (result.faults.length > 0) throw new Error(result.faults.join('; '));
  return result;
}

async function marksWithin(
  progress: () => Progress,
  server: ServerProcess,
  { warmUpMs, windowMs, signal }: { warmUpMs: number; windowMs: number; signal: AbortSignal },
): Promise<[Mark, Mark]> {
  while (progress().stage !== 'load') await sleep(POLL_MS, undefined, { signal });
  await sleep(warmUpMs, undefined, { signal });
  const from = await mark(server);
  await sleep(windowMs, undefined, { signal });
  return [from, await mark(server)];
}

/** Uses the gateway's clock, because its answer may be late. */
async function mark(server: ServerProcess): Promise<Mark> {
  const { at, records } = await server.stats();
  return { confirmed: records.confirmed, atMs: Date.parse(at), cpuSeconds: server.cpuSeconds() };
}
