// Measures how fast the spool drains: it is filled while Kafka cannot be reached, then Kafka comes back while devices send
// at a steady rate.
import { setTimeout as sleep } from 'node:timers/promises';
import { LateBootstrap } from '../servers/late-bootstrap.ts';
import { type BenchOptions, type Gateway, mark, withGateways } from '../servers/loaded-gateways.ts';
import { proveAllThere } from '../servers/own-gateway.ts';
import type { ServerProcess } from '../servers/server-process.ts';
import type { Percentiles } from '../statistics.ts';
import { SPOOL_SETTINGS } from './spool.ts';

export interface DrainShape {
  /** Messages a second while the spool is filled, which makes smaller batches. Absent: at full speed. */
  readonly fillPerSecond?: number;
}

export interface DrainFigures {
  readonly kind: 'drain';
  /** Records on the disk at the first confirmation. */
  readonly backlog: number;
  /** From the first confirmation to the empty spool. */
  readonly seconds: number;
  /** Confirmed by Kafka, from the spool and from arriving messages. */
  readonly perSecond: number;
  readonly arrivingPerSecond: number;
  /** perSecond in units of arrivingPerSecond. */
  readonly times: number;
  /** From Kafka's return to the first confirmation. */
  readonly waitMs: number;
  readonly serverCpuUs: number;
  /** Of messages since Kafka's return: from the due time of a line to its `stored`. */
  readonly storedMs: Percentiles;
  readonly residentMiB: number;
  readonly windowUs: readonly [from: number, to: number];
}

const ARRIVING_PER_SECOND = 10_000;
const FILL_LINES_PER_WRITE = 50;
const FILL_LINES = 20_000;
/** The steady rate begins before Kafka is back, so that its code is compiled. */
const LEAD_MS = 500;
const POLL_MS = 10;
/** Without a newly confirmed record for so long, the run fails. */
const STALL_TIMEOUT_MS = 20_000;

/** Rejects if a message is lost, refused or duplicated, with the end of the server's log. */
export async function measureDrain(options: BenchOptions, shape: DrainShape): Promise<DrainFigures> {
  const kafka = await LateBootstrap.before(options.bootstrap);
  const plan = { settings: SPOOL_SETTINGS, unreachable: kafka.address, profileDir: options.profileDir };
  try {
    return await withGateways(options, [plan], ([gateway]) => fillAndDrain(gateway, kafka, options, shape));
  } finally {
    kafka.close();
  }
}

async function fillAndDrain(
  gateway: Gateway,
  kafka: LateBootstrap,
  options: BenchOptions,
  { fillPerSecond }: DrainShape,
): Promise<DrainFigures> {
  const { server, load } = gateway;
  const { connections, seconds, bootstrap, signal } = options;
  const port = server.tcpPort;
  await load.call('connect', { port, connections, linesPerWrite: FILL_LINES_PER_WRITE, seq: true });
  const filled =
    fillPerSecond === undefined
      ? await fillFast(gateway, seconds)
      : (await load.call('send', { count: Math.ceil(fillPerSecond * seconds), perSecond: fillPerSecond }))
          .count;

  await load.call('startPaced', { perSecond: ARRIVING_PER_SECOND });
  await sleep(LEAD_MS, undefined, { signal });
  await kafka.open();
  const openMs = performance.now();
  const first = await until(server, signal, ({ confirmed }) => confirmed > 0);
  const waitMs = performance.now() - openMs;
  const last = await until(server, signal, ({ spooled }) => spooled === 0);

  const arrived = await load.call('finishPaced', {});
  const sent = filled + arrived.count;
  await server.untilConfirmed(sent);
  const stats = await proveAllThere(gateway, bootstrap, sent);
  if (arrived.storedMs === undefined) throw new Error('no confirmation was timed');
  const tookSeconds = (last.at.wallUs - first.at.wallUs) / 1e6;
  const confirmed = last.records.confirmed - first.records.confirmed;
  const perSecond = confirmed / tookSeconds;
  const arrivingPerSecond = (last.records.accepted - first.records.accepted) / tookSeconds;
  return {
    kind: 'drain',
    backlog: first.records.spooled,
    seconds: tookSeconds,
    perSecond,
    arrivingPerSecond,
    times: perSecond / arrivingPerSecond,
    waitMs,
    serverCpuUs: ((last.at.cpuSeconds - first.at.cpuSeconds) * 1e6) / confirmed,
    storedMs: arrived.storedMs,
    residentMiB: stats.process.residentBytes / 2 ** 20,
    windowUs: [first.at.wallUs, last.at.wallUs],
  };
}

/** Sends for `seconds` and resolves with the number of messages. All go to the disk. */
async function fillFast({ load }: Gateway, seconds: number): Promise<number> {
  const endMs = performance.now() + seconds * 1000;
  let filled = 0;
  do {
    await load.call('send', { count: FILL_LINES });
    filled += FILL_LINES;
  } while (performance.now() < endMs);
  return filled;
}

type Records = Awaited<ReturnType<ServerProcess['stats']>>['records'];

/** Resolves when the records are as wanted. Rejects if nothing is confirmed any more. */
async function until(server: ServerProcess, signal: AbortSignal, wanted: (records: Records) => boolean) {
  let highest = -1;
  let progressMs = performance.now();
  for (;;) {
    const { records } = await server.stats();
    const at = mark(server);
    if (wanted(records)) return { records, at };
    if (records.confirmed > highest) progressMs = performance.now();
    highest = records.confirmed;
    if (performance.now() - progressMs > STALL_TIMEOUT_MS) {
      const { confirmed, spooled } = records;
      throw new Error(
        `${confirmed} records are confirmed, none for ${STALL_TIMEOUT_MS} ms; ${spooled} are in the spool`,
      );
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}
