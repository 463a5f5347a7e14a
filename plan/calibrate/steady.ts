// Measures the CPU of devices that send at a rate, plain and over TLS, with lines of two sizes, and the bytes that their
// records take in Kafka.
import { setTimeout as sleep } from 'node:timers/promises';
import { type CalibrationOptions, cpuBetween, cpuOf, expectBroker, type Stage, withStage } from './stage.ts';

export interface Observation {
  readonly tls: boolean;
  /** Of a line, with its LF. */
  readonly lineBytes: number;
  readonly seconds: number;
  readonly messages: number;
  readonly batches: number;
  /** Of record batches, as they were sent to Kafka. */
  readonly batchBytes: number;
  readonly serverSeconds: number;
  readonly primarySeconds: number;
  readonly brokerSeconds: number;
}

interface Point {
  readonly perSecond: number;
  readonly lineBytes: number;
}

/** From a fleet whose lines come alone to one whose lines share batches. */
export const POINTS: readonly Point[] = [
  { perSecond: 0, lineBytes: 200 },
  { perSecond: 300, lineBytes: 200 },
  { perSecond: 700, lineBytes: 200 },
  { perSecond: 1_500, lineBytes: 200 },
  { perSecond: 3_000, lineBytes: 200 },
  { perSecond: 7_500, lineBytes: 200 },
  { perSecond: 700, lineBytes: 2_000 },
  { perSecond: 3_000, lineBytes: 2_000 },
];
const WARM_UP = [
  { perSecond: 10_000, seconds: 4, lineBytes: 200 },
  { perSecond: 3_000, seconds: 2, lineBytes: 2_000 },
];
const REST_MS = 300;
const AT_ONCE = 32;

/**
 * The observations of each run. In a run each point is measured once, so that a slow minute of the machine affects all of
 * them.
 */
export async function measureSteady(options: CalibrationOptions): Promise<Observation[][]> {
  expectBroker();
  const observed: Observation[][] = Array.from({ length: options.runs }, () => []);
  for (const tls of [false, true])
    await withStage(options, {}, async (stage) => {
      const { server, fleet, ca } = stage;
      const { connections: count, seconds } = options;
      const port = tls ? server.tlsPort : server.tcpPort;
      await fleet.call('arrive', { port, ca: tls ? ca : null, count, atOnce: AT_ONCE, resume: false });
      for (const load of WARM_UP) await fleet.call('send', load);
      for (const run of observed)
        for (const point of POINTS) run.push({ tls, ...(await observe(stage, point, seconds)) });
    });
  return observed;
}

async function observe(
  stage: Stage,
  { perSecond, lineBytes }: Point,
  seconds: number,
): Promise<Omit<Observation, 'tls'>> {
  const { server, fleet } = stage;
  // The answers to the last window are on their way.
  await sleep(REST_MS);
  const before = (await server.stats()).kafka;
  const from = cpuOf(stage);
  const startMs = performance.now();
  const messages =
    perSecond === 0 ? await rest(seconds) : await fleet.call('send', { perSecond, seconds, lineBytes });
  const cpu = cpuBetween(from, cpuOf(stage));
  const tookSeconds = (performance.now() - startMs) / 1000;
  const after = (await server.stats()).kafka;
  return {
    lineBytes,
    seconds: tookSeconds,
    messages,
    batches: after.batchesConfirmed - before.batchesConfirmed,
    batchBytes: after.bytesSent - before.bytesSent,
    serverSeconds: cpu.servers,
    primarySeconds: cpu.primary,
    brokerSeconds: cpu.broker,
  };
}

async function rest(seconds: number): Promise<number> {
  await sleep(seconds * 1000);
  return 0;
}
