// Measures one fresh server under load: warm-up, the window between two measurements of JSON.parse, and the proof that
// every message arrived once.
import { Child } from '../../load/processes/child.ts';
import {
  type BenchOptions,
  type Gateway,
  LEAD_IN_SECONDS,
  mark,
  WARM_UP_PER_SECOND,
  type Warm,
  warmUpFast,
  withGateways,
} from '../servers/loaded-gateways.ts';
import { proveAllThere } from '../servers/own-gateway.ts';
import { median, type Percentiles } from '../statistics.ts';
import type { ConsumerCalls } from '../verification/consumer-worker.ts';
import { jsonParseCost, jsonParseCostDuring } from './json-parse-cost.ts';

export interface LoadShape {
  readonly linesPerWrite: number;
  /** Absent: at full speed. With a rate, the latency to a consumer is measured too. */
  readonly perSecond?: number;
  /** Over the server's defaults. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Measurement {
  readonly kind: 'load';
  readonly messages: number;
  /** From before the first write to the last confirmation. */
  readonly seconds: number;
  readonly perSecond: number;
  /** CPU microseconds a message, user and system time. */
  readonly serverCpuUs: number;
  readonly loadCpuUs: number;
  /** CPU microseconds a line on the quiet machine, just before and after the window. */
  readonly jsonParseUs: number;
  /** serverCpuUs in units of jsonParseUs. */
  readonly multiple: number;
  /** The same during the window, beside the server, Kafka and the load. */
  readonly busyJsonParseUs: number;
  readonly busyMultiple: number;
  readonly residentMiB: number;
  /** Milliseconds from the due time of a line to its arrival at a consumer. */
  readonly latencyMs?: Percentiles;
  /** The measured window on the clock of CPU profiles. */
  readonly windowUs: readonly [from: number, to: number];
}

const CONSUMER = new URL('../verification/consumer-worker.js', import.meta.url);

interface Parts extends Gateway {
  /** Undefined if latency is not measured. */
  readonly consumer: Child<ConsumerCalls> | undefined;
}

/**
 * How many times as long as at full speed the warm-up takes before a window at a rate, 20 s by default. At a hundred
 * fetches a second, code is compiled late.
 */
const PACED_WARM_UP_TIMES = 5;

/** Rejects if a message is lost, refused or duplicated, with the end of the server's log. */
export function measure(options: BenchOptions, shape: LoadShape): Promise<Measurement> {
  const { settings = {} } = shape;
  return withGateways(options, [{ profileDir: options.profileDir, settings }], async ([gateway]) => {
    const consumer =
      shape.perSecond === undefined
        ? undefined
        : new Child<ConsumerCalls>(CONSUMER, { signal: options.signal });
    try {
      return await measureWith({ ...gateway, consumer }, options, shape);
    } finally {
      await consumer?.stop();
    }
  });
}

async function measureWith(parts: Parts, options: BenchOptions, shape: LoadShape): Promise<Measurement> {
  const { server, load, consumer, topic } = parts;
  const { bootstrap, connections, seq, seconds, warmUpSeconds, signal } = options;
  const { linesPerWrite, perSecond } = shape;
  await load.call('connect', { port: server.tcpPort, connections, linesPerWrite, seq });
  await consumer?.call('start', { bootstrap, topic });
  const lines = { seq, stamped: consumer !== undefined };

  const warm =
    perSecond === undefined
      ? await warmUpFast((messages) => sendAll(parts, messages), { seconds: warmUpSeconds })
      : await warmUpPaced(parts, perSecond, PACED_WARM_UP_TIMES * warmUpSeconds);
  const messages = Math.ceil(warm.perSecond * seconds);
  const parseBefore = await jsonParseCost(lines, signal);

  // The load pauses while JSON.parse is measured.
  const leadIn = perSecond === undefined ? 0 : Math.ceil(LEAD_IN_SECONDS * perSecond);
  const { result, us: busyJsonParseUs } = await jsonParseCostDuring(lines, signal, async () => {
    if (leadIn > 0) await sendAll(parts, { first: warm.sent, count: leadIn, perSecond });
    const from = mark(server);
    const sent = await sendAll(parts, { first: warm.sent + leadIn, count: messages, perSecond });
    return { from, sent, to: mark(server) };
  });
  const { from, sent, to } = result;

  const parseAfter = await jsonParseCost(lines, signal);
  const stats = await proveAllThere(parts, bootstrap, warm.sent + leadIn + messages);
  const elapsed = (to.wallUs - from.wallUs) / 1e6;
  const serverCpuUs = ((to.cpuSeconds - from.cpuSeconds) * 1e6) / messages;
  const jsonParseUs = median([...parseBefore, ...parseAfter]);
  return {
    kind: 'load',
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

async function warmUpPaced(parts: Parts, perSecond: number, seconds: number): Promise<Warm> {
  const warmUpPerSecond = Math.max(WARM_UP_PER_SECOND, perSecond);
  const count = Math.ceil(seconds * warmUpPerSecond);
  await sendAll(parts, { first: 0, count, perSecond: warmUpPerSecond });
  return { sent: count, perSecond };
}

interface Messages {
  /** Number of messages sent before. */
  readonly first: number;
  readonly count: number;
  readonly perSecond?: number | undefined;
}

/** Resolves when all are confirmed and, with a consumer, read. */
async function sendAll({ server, load, consumer }: Parts, { first, count, perSecond }: Messages) {
  const [sent, latencyMs] = await Promise.all([
    load.call('send', { count, perSecond, stamped: perSecond !== undefined }),
    consumer?.call('collect', { first, count }),
    // Asking costs the server CPU. With a consumer it is not needed: a message that was read is about to be confirmed.
    consumer === undefined && server.untilConfirmed(first + count),
  ]);
  if (consumer !== undefined) await server.untilConfirmed(first + count);
  return { cpuSeconds: sent.cpuSeconds, latencyMs };
}
