// Two ways side by side in one run: each has a server and a load of its own, they take turns at full speed, and what
// counts is the one in units of the other.

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
  /** Another server than the built one: a compiled module beside this one. */
  readonly main?: string;
  /** Absent: as many as the bench was asked for. */
  readonly connections?: number;
  /** Absent: 50. */
  readonly linesPerWrite?: number;
  /** Ask for confirmations and wait for them. Absent: as the bench was asked for. */
  readonly seq?: boolean;
  /** With `seq`: lines of a device that may wait for their confirmation. Absent: any number. */
  readonly window?: number;
  /** A way so long between devices and server. Absent: none. */
  readonly deviceRoundTripMs?: number;
  /** Through the proxy of the brokers, with so much delay. Absent: not through it. */
  readonly kafkaRoundTripMs?: number;
}

/** The first is what is judged, in units of the second; a third is only shown. */
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
  /** Messages a second, ours of the other's. */
  readonly ratio: number;
  /** CPU a message, ours of the other's. */
  readonly cpuRatio: number;
  /** On the clock of CPU profiles, which are of ours. */
  readonly windowUs: readonly [from: number, to: number];
}

const PROXY = new URL('../servers/proxy-worker.js', import.meta.url);
const LINES_PER_WRITE = 50;

/** Rejects where anything is lost, refused or twice, with the end of the servers' logs. */
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
