// Fresh gateways under load, each with a topic and a spool of its own and a process of devices before it, and
// what every scenario asks of them.
import { randomBytes } from 'node:crypto';
import { withAdmin } from '../../scripts/kafka/client.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import type { LoadCalls } from '../devices/load-worker.ts';
import { WorkerProcess } from '../worker-process.ts';
import { ServerProcess } from './server-process.ts';

/** What holds for every scenario of this call of the bench. */
export interface BenchOptions {
  readonly bootstrap: string;
  readonly connections: number;
  /** About how long the measured window is. */
  readonly seconds: number;
  /** Ask for confirmations and wait for them. */
  readonly seq: boolean;
  /** Over the server's defaults. */
  readonly settings: Readonly<Record<string, string>>;
  readonly profileDir: string | undefined;
  readonly signal: AbortSignal;
}

export interface GatewayPlan {
  /** Where the server looks for Kafka, and does not find it at its start. Absent: where it is. */
  readonly unreachable?: string;
  /** Another way to Kafka. Absent: the straight one. */
  readonly bootstrap?: string;
  /** Another server: a compiled module beside this one. Absent: the built one. */
  readonly main?: string;
  readonly settings?: Readonly<Record<string, string>>;
  readonly profileDir?: string | undefined;
}

export interface Gateway {
  readonly topic: string;
  readonly server: ServerProcess;
  readonly load: WorkerProcess<LoadCalls>;
}

const FIRST_WARM_UP = 20_000;
/**
 * The last part of the load before it counts. With 1 s compiling took 3.5 % within the window, and twice that of a
 * server of two processes, each of which compiles for itself and gets half of the load: with 3 s a message still cost
 * 1.12 times that of one process, with 4 s 1.02 and 1.08 times (medians of five runs).
 */
const WARM_UP_MS = 4_000;

/** Runs `work` with one gateway a plan and removes them. What it rejects with gets the ends of their logs. */
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
    await Promise.allSettled(gateways.map((gateway) => stopGateway(gateway, options)));
    throw gateways.reduce((explained: unknown, { server }) => server.explained(explained), error);
  }
  for (const gateway of gateways) await stopGateway(gateway, options);
  return result;
}

export interface Warm {
  readonly sent: number;
  readonly perSecond: number;
}

/** Doubles the count until it takes long enough: by then the code is compiled and its rate is known. */
export async function warmUpFast(
  send: (messages: { readonly first: number; readonly count: number }) => Promise<unknown>,
  firstCount = FIRST_WARM_UP,
): Promise<Warm> {
  let first = 0;
  for (let count = firstCount; ; count *= 2) {
    const startMs = performance.now();
    await send({ first, count });
    const tookMs = performance.now() - startMs;
    first += count;
    if (tookMs >= WARM_UP_MS) return { sent: first, perSecond: (count * 1000) / tookMs };
  }
}

/** CPU and wall clock so far, for the difference of two. */
export function mark(server: ServerProcess) {
  return { cpuSeconds: server.cpuSeconds(), wallUs: Number(process.hrtime.bigint() / 1000n) };
}

/** Rejects unless the topic, by its offsets, and the server's own balance hold every message, once. */
export async function proveAllThere(
  { server, topic }: Pick<Gateway, 'server' | 'topic'>,
  bootstrap: string,
  sent: number,
) {
  const stats = await server.stats();
  const offsets = await withAdmin(bootstrap, (admin) => admin.fetchTopicOffsets(topic));
  const held = offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  if (!isBalanced(stats, sent) || stats.records.confirmed !== sent || held !== sent) {
    throw new Error(`of ${sent} messages ${inWords(stats)}; the topic holds ${held}`);
  }
  return stats;
}

/** The same without Kafka: every message is in the spool, by the server's own balance. */
export async function proveAllSpooled({ server }: Gateway, sent: number) {
  const stats = await server.stats();
  if (!isBalanced(stats, sent) || stats.records.spooled !== sent)
    throw new Error(`of ${sent} messages ${inWords(stats)}`);
  return stats;
}

async function startGateway(options: BenchOptions, plan: GatewayPlan): Promise<Gateway> {
  const { settings, signal, bootstrap } = options;
  const topic = `sluice.bench.${randomBytes(6).toString('hex')}`;
  const [metrics, alarms] = topicsOf(topic);
  const server = await ServerProcess.start({
    settings: {
      ...plan.settings,
      ...settings,
      KAFKA_BROKERS: plan.unreachable ?? plan.bootstrap ?? bootstrap,
      KAFKA_TOPIC_METRICS: metrics,
      KAFKA_TOPIC_ALARMS: alarms,
      KAFKA_TOPIC_DEAD_LETTERS: '',
    },
    signal,
    main: plan.main,
    profileDir: plan.profileDir,
    withoutKafka: plan.unreachable !== undefined,
  });
  return { topic, server, load: new WorkerProcess<LoadCalls>('devices/load-worker.js', signal) };
}

async function stopGateway({ topic, server, load }: Gateway, { bootstrap }: BenchOptions): Promise<void> {
  await load.stop();
  await server.stop();
  await withAdmin(
    bootstrap,
    async (admin) => {
      const there = new Set(await admin.listTopics());
      const topics = topicsOf(topic).filter((name) => there.has(name));
      if (topics.length > 0) await admin.deleteTopics({ topics });
    },
    0,
  );
}

const topicsOf = (topic: string): [metrics: string, alarms: string] => [topic, `${topic}.alarms`];

function isBalanced({ records, lines }: Snapshot, sent: number): boolean {
  return records.accepted === sent && lines.refusedLines === 0 && records.deadLettered === 0;
}

function inWords({ records, lines }: Snapshot): string {
  const { accepted, confirmed, spooled } = records;
  return `${accepted} were accepted, ${lines.refusedLines} refused, ${confirmed} confirmed, ${spooled} are in the spool`;
}
