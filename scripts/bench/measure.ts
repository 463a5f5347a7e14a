// One run of the load against one fresh server: warm-up, the measured window between two measurements of
// JSON.parse, and the proof that every message arrived, once.
import { randomBytes } from 'node:crypto';
import { withAdmin } from '../kafka/client.ts';
import type { ConsumerCalls } from './consumer-worker.ts';
import { type LatencySummary, median } from './figures.ts';
import { jsonParseCost, jsonParseCostDuring } from './json-parse-cost.ts';
import type { LoadCalls } from './load-worker.ts';
import { ServerProcess } from './server-process.ts';
import { WorkerProcess } from './worker-process.ts';

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

export interface LoadShape {
  readonly linesPerWrite: number;
  /** Absent: as fast as taken. With it the latency to a consumer is measured too. */
  readonly perSecond?: number;
}

export interface Measurement {
  readonly messages: number;
  /** From before the first write to the last confirmation. */
  readonly seconds: number;
  readonly perSecond: number;
  /** Microseconds of CPU, user and system, a message. */
  readonly serverCpuUs: number;
  readonly loadCpuUs: number;
  /** CPU microseconds a line on the quiet machine, right before and after the window. */
  readonly jsonParseUs: number;
  /** serverCpuUs in units of jsonParseUs. */
  readonly multiple: number;
  /** The same within the window, beside the server, Kafka and the load. */
  readonly busyJsonParseUs: number;
  readonly busyMultiple: number;
  readonly residentMiB: number;
  /** Milliseconds from the time a line was due to a consumer that has it. */
  readonly latencyMs?: LatencySummary;
  /** The measured window on the clock of CPU profiles. */
  readonly windowUs: readonly [from: number, to: number];
}

interface Parts {
  readonly topic: string;
  readonly server: ServerProcess;
  readonly load: WorkerProcess<LoadCalls>;
  /** Where latency is measured. */
  readonly consumer: WorkerProcess<ConsumerCalls> | undefined;
}

const FIRST_WARM_UP = 20_000;
const WARM_UP_MS = 1_000;
const PACED_WARM_UP_SECONDS = 3;

/** Rejects where anything is lost, refused or twice, with the end of the server's log. */
export async function measure(options: BenchOptions, shape: LoadShape): Promise<Measurement> {
  const topic = `sluice.bench.${randomBytes(6).toString('hex')}`;
  const server = await startServer(options, topic);
  const load = new WorkerProcess<LoadCalls>('load-worker.js', options.signal);
  const consumer =
    shape.perSecond === undefined
      ? undefined
      : new WorkerProcess<ConsumerCalls>('consumer-worker.js', options.signal);
  const stop = async (): Promise<void> => {
    await Promise.all([load.stop(), consumer?.stop()]);
    await server.stop();
    await withAdmin(options.bootstrap, (admin) => admin.deleteTopics({ topics: topicsOf(topic) }), 0);
  };
  let measurement: Measurement;
  try {
    measurement = await measureWith({ topic, server, load, consumer }, options, shape);
  } catch (error) {
    await stop().catch(() => {});
    throw server.explained(error);
  }
  await stop();
  return measurement;
}

async function measureWith(parts: Parts, options: BenchOptions, shape: LoadShape): Promise<Measurement> {
  const { server, load, consumer, topic } = parts;
  const { bootstrap, connections, seq, seconds, signal } = options;
  const { linesPerWrite, perSecond } = shape;
  await load.call('connect', { port: server.tcpPort, connections, linesPerWrite, seq });
  await consumer?.call('start', { bootstrap, topic });
  const lines = { seq, stamped: consumer !== undefined };

  const warm = perSecond === undefined ? await warmUpFast(parts) : await warmUpPaced(parts, perSecond);
  const messages = Math.ceil(warm.perSecond * seconds);
  const parseBefore = await jsonParseCost(lines, signal);

  const { result, us: busyJsonParseUs } = await jsonParseCostDuring(lines, signal, async () => {
    const from = await mark(server);
    const sent = await sendAll(parts, { first: warm.sent, count: messages, perSecond });
    return { from, sent, to: await mark(server) };
  });
  const { from, sent, to } = result;

  const parseAfter = await jsonParseCost(lines, signal);
  const stats = await proveAllThere(parts, bootstrap, warm.sent + messages);
  const elapsed = (to.wallUs - from.wallUs) / 1e6;
  const serverCpuUs = ((to.cpuSeconds - from.cpuSeconds) * 1e6) / messages;
  const jsonParseUs = median([...parseBefore, ...parseAfter]);
  return {
    messages,
    seconds: elapsed,
    perSecond: messages / elapsed,
    serverCpuUs,
    loadCpuUs: (sent.cpuSeconds * 1e6) / messages,
    jsonParseUs,
    multiple: serverCpuUs / jsonParseUs,
    busyJsonParseUs,
    busyMultiple: serverCpuUs / busyJsonParseUs,
    residentMiB: stats.process.residentBytes / 2 ** 20,
    ...(sent.latencyMs && { latencyMs: sent.latencyMs }),
    windowUs: [from.wallUs, to.wallUs],
  };
}

interface Warm {
  readonly sent: number;
  readonly perSecond: number;
}

/** Doubles the count until it takes a second: by then the code is compiled and its rate is known. */
async function warmUpFast(parts: Parts): Promise<Warm> {
  let first = 0;
  for (let count = FIRST_WARM_UP; ; count *= 2) {
    const startMs = performance.now();
    await sendAll(parts, { first, count, perSecond: undefined });
    const tookMs = performance.now() - startMs;
    first += count;
    if (tookMs >= WARM_UP_MS) return { sent: first, perSecond: (count * 1000) / tookMs };
  }
}

async function warmUpPaced(parts: Parts, perSecond: number): Promise<Warm> {
  const count = PACED_WARM_UP_SECONDS * perSecond;
  await sendAll(parts, { first: 0, count, perSecond });
  return { sent: count, perSecond };
}

interface Messages {
  /** How many were sent before. */
  readonly first: number;
  readonly count: number;
  readonly perSecond: number | undefined;
}

/** Resolves when all are confirmed and, where there is a consumer, read. */
async function sendAll({ server, load, consumer }: Parts, { first, count, perSecond }: Messages) {
  const [sent, latencyMs] = await Promise.all([
    load.call('send', perSecond === undefined ? { count } : { count, perSecond }),
    consumer?.call('collect', { first, count }),
    server.untilConfirmed(first + count),
  ]);
  return { cpuSeconds: sent.cpuSeconds, latencyMs };
}

async function mark(server: ServerProcess) {
  return { cpuSeconds: await server.cpuSeconds(), wallUs: Number(process.hrtime.bigint() / 1000n) };
}

/** By the server's own balance and by what the topic holds. */
async function proveAllThere({ server, topic }: Parts, bootstrap: string, sent: number) {
  const stats = await server.stats();
  const { accepted, confirmed } = stats.records;
  const { refusedLines } = stats.lines;
  const offsets = await withAdmin(bootstrap, (admin) => admin.fetchTopicOffsets(topic));
  const held = offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  if (accepted !== sent || confirmed !== sent || held !== sent || refusedLines !== 0) {
    throw new Error(
      `of ${sent} messages ${accepted} were accepted, ${refusedLines} refused, ${confirmed} confirmed; the topic holds ${held}`,
    );
  }
  return stats;
}

function startServer(options: BenchOptions, topic: string): Promise<ServerProcess> {
  const { settings, signal, profileDir, bootstrap } = options;
  const [metrics, alarms] = topicsOf(topic);
  return ServerProcess.start({
    settings: {
      ...settings,
      KAFKA_BROKERS: bootstrap,
      KAFKA_TOPIC_METRICS: metrics,
      KAFKA_TOPIC_ALARMS: alarms,
      KAFKA_TOPIC_DEAD_LETTERS: '',
    },
    signal,
    ...(profileDir !== undefined && { profileDir }),
  });
}

const topicsOf = (topic: string): [metrics: string, alarms: string] => [topic, `${topic}.alarms`];
