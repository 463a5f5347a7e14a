// Compares two servers in one run: each has its own load, they take turns at full speed or at the same rate, and the
// result is the ratio of the first to the second.
import type { TlsTarget } from '../../load/plan.ts';
import { Child } from '../../load/processes/child.ts';
import type { LineForm } from '../devices/lines.ts';
import { AdminPoll } from '../servers/admin-poll.ts';
import { localBrokers } from '../servers/brokers.ts';
import {
  type BenchOptions,
  type Gateway,
  type GatewayPlan,
  mark,
  withGateways,
} from '../servers/loaded-gateways.ts';
import { proveAllThere } from '../servers/own-gateway.ts';
import type { ProxyCalls } from '../servers/proxy-worker.ts';
import { Side, TURNS, type TurnFigures } from './side.ts';

export interface SideShape {
  readonly name: string;
  /** Over the server's defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Path of another compiled server. Absent: the gateway. */
  readonly main?: string;
  /** /metrics is read so often. Absent: never. */
  readonly scrapeEveryMs?: number;
  /** Absent: as in the options of the bench. */
  readonly connections?: number;
  /** Absent: 50. */
  readonly linesPerWrite?: number;
  /** Absent: flat readings. `plain` needs a port of its own in the settings. */
  readonly form?: LineForm;
  /** Ask for confirmations and wait for them. Absent: as in the options of the bench. */
  readonly seq?: boolean;
  /** With `seq`: unconfirmed lines that a device may have. Absent: no limit. */
  readonly window?: number;
  /** The devices speak TLS. Absent: plain. */
  readonly tls?: TlsTarget;
  /** Round trip between devices and server. Absent: no delay. */
  readonly deviceRoundTripMs?: number;
  /** Round trip to Kafka through a proxy; 0 = a proxy without delay. Absent: no proxy. */
  readonly kafkaRoundTripMs?: number;
}

/** The first is measured in units of the second. A third is only shown. */
export type PairShape = readonly [ours: SideShape, against: SideShape, beside?: SideShape];

export interface SideFigures extends TurnFigures {
  readonly name: string;
  readonly residentMiB: number;
}

export interface PairFigures {
  readonly kind: 'pair';
  readonly ours: SideFigures;
  readonly against: SideFigures;
  readonly beside?: SideFigures;
  /** Messages a second: ours in units of the other. */
  readonly ratio: number;
  /** CPU a message: ours in units of the other. */
  readonly cpuRatio: number;
  /** On the clock of CPU profiles. Our server is profiled. */
  readonly windowUs: readonly [from: number, to: number];
}

const PROXY = new URL('../servers/proxy-worker.js', import.meta.url);
const LINES_PER_WRITE = 50;

export interface PairOptions extends BenchOptions {
  /** All sides send at this share of the speed of the slowest. Absent: each at its full speed, or at `perSecond`. */
  readonly pace?: number;
  /** All sides send at this rate. */
  readonly perSecond?: number;
}

/** Rejects if a message is lost, refused or duplicated, with the end of the servers' logs. */
export async function measurePair(
  options: PairOptions,
  shape: PairShape,
  turns = TURNS,
): Promise<PairFigures> {
  const shapes = shape.filter((side) => side !== undefined);
  const proxies = new Child<ProxyCalls>(PROXY, { signal: options.signal });
  try {
    const plans: GatewayPlan[] = [];
    for (const [index, side] of shapes.entries()) {
      const profileDir = index === 0 ? options.profileDir : undefined;
      plans.push({ ...(await planOf(side, options, proxies)), profileDir });
    }
    return await withGateways(options, plans, (gateways) =>
      measureSides(gateways, { shapes, turns }, options, proxies),
    );
  } finally {
    await proxies.stop();
  }
}

async function measureSides(
  gateways: readonly Gateway[],
  { shapes, turns }: { shapes: readonly SideShape[]; turns: number },
  options: PairOptions,
  proxies: Child<ProxyCalls>,
): Promise<PairFigures> {
  const sides: { gateway: Gateway; side: Side; name: string }[] = [];
  for (const [index, gateway] of gateways.entries()) {
    const shape = shapes[index];
    if (shape === undefined) throw new Error('a gateway for each side');
    const side = new Side(gateway, options, await loadOf(shape, gateway, options, proxies), turns);
    await side.warmUp();
    sides.push({ gateway, side, name: shape.name });
  }
  const [first] = gateways;
  if (first === undefined) throw new Error('a pair has sides');
  const scrapes = shapes.flatMap(({ scrapeEveryMs: everyMs }, index) => {
    const port = gateways[index]?.server.adminPort;
    return everyMs === undefined || port === undefined
      ? []
      : new AdminPoll({ port, path: '/metrics', everyMs });
  });
  const slowest = Math.min(...sides.map(({ side }) => side.warmPerSecond));
  const perSecond = options.perSecond ?? (options.pace && options.pace * slowest);
  const from = mark(first.server);
  // Back and forth: whoever comes first would always get what the machine does between the rounds.
  for (let turn = 0; turn < turns; turn++)
    for (const { side } of turn % 2 === 0 ? sides : sides.toReversed()) await side.turn(perSecond);
  const to = mark(first.server);
  for (const scrape of scrapes) await scrape.stop();

  const figures: SideFigures[] = [];
  for (const { gateway, side, name } of sides) {
    await gateway.server.untilConfirmed(side.sent);
    const stats = await proveAllThere(gateway, options.bootstrap, side.sent);
    figures.push({ name, ...side.ofTurns, residentMiB: stats.process.residentBytes / 2 ** 20 });
  }
  const [ours, against, beside] = figures;
  if (ours === undefined || against === undefined) throw new Error('a pair has two sides');
  return {
    kind: 'pair',
    ours,
    against,
    ...(beside && { beside }),
    ratio: ours.perSecond / against.perSecond,
    cpuRatio: ours.serverCpuUs / against.serverCpuUs,
    windowUs: [from.wallUs, to.wallUs],
  };
}

async function planOf(
  { settings = {}, main, kafkaRoundTripMs: roundTripMs }: SideShape,
  { bootstrap }: BenchOptions,
  proxies: Child<ProxyCalls>,
): Promise<GatewayPlan> {
  const plan = { settings, ...(main !== undefined && { main }) };
  if (roundTripMs === undefined) return plan;
  const brokers = await localBrokers(bootstrap);
  return { ...plan, bootstrap: await proxies.call('toBrokers', { brokers, roundTripMs }) };
}

async function loadOf(
  shape: SideShape,
  { server }: Gateway,
  options: BenchOptions,
  proxies: Child<ProxyCalls>,
) {
  const { connections = options.connections, linesPerWrite = LINES_PER_WRITE, seq = options.seq } = shape;
  const { form, window, tls, deviceRoundTripMs: roundTripMs } = shape;
  const ofDevices = tls === undefined ? server.tcpPort : server.tlsPort;
  const own = form === 'plain' ? server.linesPort : ofDevices;
  const port = roundTripMs === undefined ? own : await proxies.call('toGateway', { port: own, roundTripMs });
  return {
    port,
    connections,
    linesPerWrite,
    seq,
    ...(form && { form }),
    ...(tls && { tls }),
    ...(window !== undefined && { window }),
  };
}
