// Measures the memory of connections: the server's resident size without any, with 10,000 silent ones, and after each has
// identified and sent a line.
import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchOptions, type Gateway, withGateways } from '../servers/loaded-gateways.ts';
import { proveAllThere } from '../servers/own-gateway.ts';
import type { ServerProcess } from '../servers/server-process.ts';

export interface MemoryFigures {
  readonly kind: 'memory';
  readonly connections: number;
  /** Resident memory for each connection, in 1,000 bytes. */
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
  // A silent connection must not be closed.
  TCP_IDENTIFY_TIMEOUT: '30m',
  TCP_INACTIVITY_TIMEOUT: '30m',
} as const;
/** V8's memory reducer frees garbage about eight seconds after the last work. */
const MIN_SETTLE_MS = 15_000;
const MAX_SETTLE_MS = 60_000;
const SETTLE_POLL_MS = 1_000;
/** The size is steady once so many values in a row differ by less than a hundredth. */
const STEADY_LOOKS = 5;
const STEADY_SHARE = 0.01;

/** Rejects if a connection is refused or a line is lost, with the end of the server's log. */
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

/** The resident size once it is steady, or after a minute. */
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
