// Compares two servers in one run: each has its own load, they take turns at full speed, and the result is the ratio of
// the first to the second.
import { Child } from '../../load/processes/child.ts';
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
import { type FullSpeed, Side, TURNS } from './side.ts';

export interface SideShape {
  readonly name: string;
  /** Over the server's defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Path of another compiled server. Absent: the gateway. */
  readonly main?: string;
  /** Absent: as in the options of the bench. */
  readonly connections?: number;
  /** Absent: 50. */
  readonly linesPerWrite?: number;
  /** Ask for confirmations and wait for them. Absent: as in the options of the bench. */
  readonly seq?: boolean;
  /** With `seq`: unconfirmed lines that a device may have. Absent: no limit. */
  readonly window?: number;
  /** Round trip between devices and server. Absent: no delay. */
  readonly deviceRoundTripMs?: number;
  /** Round trip to Kafka through a proxy; 0 = a proxy without delay. Absent: no proxy. */
  readonly kafkaRoundTripMs?: number;
}

/** The first is measured in units of the second. A third is only shown. */
export type PairShape = readonly [ours: SideShape, against: SideShape, beside?: SideShape];

export interface SideFigures extends FullSpeed {
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

/** Rejects if a message is lost, refused or duplicated, with the end of the servers' logs. */
export async function measurePair(options: BenchOptions, shape: PairShape): Promise<PairFigures> {
  const shapes = shape.filter((side) => side !== undefined);
  const proxies = new Child<ProxyCalls>(PROXY, { signal: options.signal });
  try {
    const plans: GatewayPlan[] = [];
    for (const [index, side] of shapes.entries()) {
      const profileDir = index === 0 ? options.profileDir : undefined;
      plans.push({ ...(await planOf(side, options, proxies)), profileDir });
    }
    return await withGateways(options, plans, (gateways) => measureSides(gateways, shapes, options, proxies));
  } finally {
    await proxies.stop();
  }
}

async function measureSides(
  gateways: readonly Gateway[],
  shapes: readonly SideShape[],
  options: BenchOptions,
  proxies: Child<ProxyCalls>,
): Promise<PairFigures> {
  const sides: { gateway: Gateway; side: Side; name: string }[] = [];
  for (const [index, gateway] of gateways.entries()) {
    const shape = shapes[index];
    if (shape === undefined) throw new Error('a gateway for each side');
    const side = new Side(gateway, options, await loadOf(shape, gateway, options, proxies));
    await side.warmUp();
    sides.push({ gateway, side, name: shape.name });
  }
  const [first] = gateways;
  if (first === undefined) throw new Error('a pair has sides');
  const from = mark(first.server);
  for (let turn = 0; turn < TURNS; turn++) for (const { side } of sides) await side.atFullSpeed();
  const to = mark(first.server);

  const figures: SideFigures[] = [];
  for (const { gateway, side, name } of sides) {
    await gateway.server.untilConfirmed(side.sent);
    const stats = await proveAllThere(gateway, options.bootstrap, side.sent);
    figures.push({ name, ...side.fullSpeed, residentMiB: stats.process.residentBytes / 2 ** 20 });
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
  const { window, deviceRoundTripMs: roundTripMs } = shape;
  const port =
    roundTripMs === undefined
      ? server.tcpPort
      : await proxies.call('toGateway', { port: server.tcpPort, roundTripMs });
  return { port, connections, linesPerWrite, seq, ...(window !== undefined && { window }) };
}
