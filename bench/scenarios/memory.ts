// What connections take of the server's memory: its resident size without any, with all of them silent, and after
// each has identified and sent one line.
import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchOptions, type Gateway, withGateways } from '../servers/loaded-gateways.ts';
import { proveAllThere } from '../servers/own-gateway.ts';
import type { ServerProcess } from '../servers/server-process.ts';

export interface MemoryFigures {
  readonly kind: 'memory';
  readonly connections: number;
  /** Resident bytes a connection above none, in units of 1,000. */
  readonly idleKb: number;
  readonly afterLineKb: number;
  readonly noneMiB: number;
  readonly idleMiB: number;
  readonly afterLineMiB: number;
  readonly windowUs: readonly [from: number, to: number];
}

const CONNECTIONS = 10_000;
const SETTINGS = {
  TCP_PROCESSES: '1',
  // Nobody is to be closed for the silence that is measured.
  TCP_IDENTIFY_TIMEOUT: '30m',
  TCP_INACTIVITY_TIMEOUT: '30m',
} as const;
/** A quiet Node gives garbage back some eight seconds after the last of the work (V8's memory reducer). */
const MIN_SETTLE_MS = 15_000;
const MAX_SETTLE_MS = 60_000;
const SETTLE_POLL_MS = 1_000;
/** At rest once so many looks in a row differ by less than a hundredth. */
const STEADY_LOOKS = 5;
const STEADY_SHARE = 0.01;

/** Rejects where a connection is refused or a line lost, with the end of the server's log. */
export function measureMemory(options: BenchOptions): Promise<MemoryFigures> {
  const plan = { settings: SETTINGS, profileDir: options.profileDir };
  return withGateways(options, [plan], ([gateway]) => measureWith(gateway, options));
}

async function measureWith(gateway: Gateway, options: BenchOptions): Promise<MemoryFigures> {
  const { server, load } = gateway;
  const { bootstrap, signal } = options;
  const fromUs = nowUs();
  const none = await settledBytes(server, signal);
  await load.call('connect', {
    port: server.tcpPort,
    connections: CONNECTIONS,
    linesPerWrite: 1,
    seq: false,
    identify: false,
  });
  const idle = await settledBytes(server, signal);
  await load.call('identify', null);
  await load.call('send', { count: CONNECTIONS });
  await server.untilConfirmed(CONNECTIONS);
  const afterLine = await settledBytes(server, signal);
  const { connections } = await proveAllThere(gateway, bootstrap, CONNECTIONS);
  if (connections.active !== CONNECTIONS) throw new Error(`${connections.active} connections are open`);
  return {
    kind: 'memory',
    connections: CONNECTIONS,
    idleKb: (idle - none) / CONNECTIONS / 1000,
    afterLineKb: (afterLine - none) / CONNECTIONS / 1000,
    noneMiB: none / 2 ** 20,
    idleMiB: idle / 2 ** 20,
    afterLineMiB: afterLine / 2 ** 20,
    windowUs: [fromUs, nowUs()],
  };
}

/** The resident size once it no longer changes, or after a minute. */
async function settledBytes(server: ServerProcess, signal: AbortSignal): Promise<number> {
  const startMs = performance.now();
  const looks: number[] = [];
  for (;;) {
    const bytes = server.residentBytes();
    looks.push(bytes);
    const last = looks.slice(-STEADY_LOOKS);
    const isSteady = Math.max(...last) - Math.min(...last) < STEADY_SHARE * bytes;
    const tookMs = performance.now() - startMs;
    if (tookMs > MAX_SETTLE_MS || (tookMs > MIN_SETTLE_MS && isSteady)) return bytes;
    await sleep(SETTLE_POLL_MS, undefined, { signal });
  }
}

const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);
