// Measures the memory of connections: the server's resident size without any, with 10,000 silent ones, and after each has
// identified and sent a line.
import { nowUs } from '../now-us.ts';
import { type BenchOptions, type Gateway, withGateways } from '../servers/loaded-gateways.ts';
import { proveAllThere } from '../servers/own-gateway.ts';
import { SILENT_SETTINGS, settledBytes } from './settled.ts';

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

/** Rejects if a connection is refused or a line is lost, with the end of the server's log. */
export function measureMemory(options: BenchOptions): Promise<MemoryFigures> {
  const plan = { settings: SILENT_SETTINGS, profileDir: options.profileDir };
  return withGateways(options, [plan], ([gateway]) => measureWith(gateway, options));
}

async function measureWith(gateway: Gateway, options: BenchOptions): Promise<MemoryFigures> {
  const { server, load } = gateway;
  const { bootstrap, signal } = options;
  const fromUs = nowUs();
  const none = await settledBytes(() => server.residentBytes(), signal);
  await load.call('connect', {
    port: server.tcpPort,
    connections: CONNECTIONS,
    linesPerWrite: 1,
    seq: false,
    identify: false,
  });
  const idle = await settledBytes(() => server.residentBytes(), signal);
  await load.call('identify', null);
  await load.call('send', { count: CONNECTIONS });
  await server.untilConfirmed(CONNECTIONS);
  const afterLine = await settledBytes(() => server.residentBytes(), signal);
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
