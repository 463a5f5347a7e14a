// Fresh gateways for one run of a scenario, each with a process of devices that loads it.
import { Child } from '../../load/processes/child.ts';
import type { LoadCalls } from '../devices/load-worker.ts';
import { nowUs } from '../now-us.ts';
import { type OwnGateway, startOwnGateway } from './own-gateway.ts';
import type { ServerProcess } from './server-process.ts';

/** The same for every scenario of one call of the bench. */
export interface BenchOptions {
  readonly bootstrap: string;
  readonly connections: number;
  /** Approximate length of the measured window. */
  readonly seconds: number;
  /** Minimum length of the warm-up at full speed. A paced one takes a few times as long. */
  readonly warmUpSeconds: number;
  /** Ask for confirmations and wait for them. */
  readonly seq: boolean;
  /** Over the server's defaults. */
  readonly settings: Readonly<Record<string, string>>;
  readonly profileDir: string | undefined;
  /** Path of another Node for the servers. Absent: the one that runs the bench. */
  readonly node?: string | undefined;
  /** Devices of a storm. */
  readonly devices: number;
  readonly signal: AbortSignal;
}

export interface GatewayPlan {
  /** An address without Kafka, which the server gets as KAFKA_BROKERS. Absent: Kafka can be reached. */
  readonly unreachable?: string;
  /** Another bootstrap, such as a proxy's. Absent: that of the bench. */
  readonly bootstrap?: string;
  /** Path of another compiled server. Absent: the gateway. */
  readonly main?: string;
  readonly settings?: Readonly<Record<string, string>>;
  readonly profileDir?: string | undefined;
}

export interface Gateway extends OwnGateway {
  readonly load: Child<LoadCalls>;
}

/** The compiled entry of the process with devices. */
export const LOAD = new URL('../devices/load-worker.js', import.meta.url);
const FIRST_WARM_UP = 20_000;
/**
 * Minimum length of the last part of the warm-up, unless `--warm-up` says otherwise. After 1 s, compiling still took 3.5 % of the window, and twice that
 * in a server of two processes, which compile separately and get half of the load each. Cost of a message in two
 * processes, in units of one: 1.12 after 3 s, 1.02 and 1.08 after 4 s (medians of five runs).
 */
export const WARM_UP_SECONDS = 4;
/**
 * Before a measurement at a lower rate. V8 compiles code late that runs fifty times a second: without it the first minutes
 * of a gateway were measured (docs/decisions/0085).
 */
export const WARM_UP_PER_SECOND = 20_000;
/** Before each measurement at a rate, at the same rate, so that whatever follows the rate has settled. */
export const LEAD_IN_SECONDS = 2;

/** Runs `work` with one gateway for each plan and stops them. An error gets the ends of the servers' logs. */
export async function withGateways<const P extends readonly GatewayPlan[], T>(
  options: BenchOptions,
  plans: P,
  work: (gateways: { readonly [K in keyof P]: Gateway }) => Promise<T>,
): Promise<T> {
  const gateways: Gateway[] = [];
  let result: T;
  try {
    for (const plan of plans) gateways.push(await startGateway(options, plan));
    result = await work(gateways as unknown as { readonly [K in keyof P]: Gateway });
  } catch (error) {
    await Promise.allSettled(gateways.map((gateway) => gateway.stop()));
    throw gateways.reduce((explained: unknown, { server }) => server.explained(explained), error);
  }
  for (const gateway of gateways) await gateway.stop();
  return result;
}

async function startGateway(options: BenchOptions, plan: GatewayPlan): Promise<Gateway> {
  const { bootstrap, signal, node } = options;
  const { unreachable, main, profileDir } = plan;
  const own = await startOwnGateway({
    bootstrap,
    name: 'bench',
    settings: { ...plan.settings, ...options.settings },
    brokers: unreachable ?? plan.bootstrap,
    main,
    node,
    profileDir,
    withoutKafka: unreachable !== undefined,
    signal,
  });
  const load = new Child<LoadCalls>(LOAD, { signal });
  const stop = async () => {
    await load.stop();
    await own.stop();
  };
  return { ...own, load, stop };
}

export interface Warm {
  readonly sent: number;
  readonly perSecond: number;
}

/** Doubles the count until one part takes `seconds`. By then the code is compiled and the rate is known. */
export async function warmUpFast(
  send: (messages: { readonly first: number; readonly count: number }) => Promise<unknown>,
  { seconds, firstCount = FIRST_WARM_UP }: { readonly seconds: number; readonly firstCount?: number },
): Promise<Warm> {
  let first = 0;
  for (let count = firstCount; ; count *= 2) {
    const startMs = performance.now();
    await send({ first, count });
    const tookMs = performance.now() - startMs;
    first += count;
    if (tookMs >= seconds * 1000) return { sent: first, perSecond: (count * 1000) / tookMs };
  }
}

/** CPU and wall clock so far. A measurement is the difference of two marks. */
export function mark(server: ServerProcess) {
  return { cpuSeconds: server.cpuSeconds(), wallUs: nowUs() };
}
