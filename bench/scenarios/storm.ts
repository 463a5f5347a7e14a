// Measures a storm: thousands of devices connect at once while others write steadily. Then a second storm, and SIGTERM in
// the middle of it.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../../load/processes/child.ts';
import type { LoadCalls } from '../devices/load-worker.ts';
import { Storm } from '../devices/storm.ts';
import { nowUs } from '../now-us.ts';
import { AdminPoll } from '../servers/admin-poll.ts';
import type { BareAcceptorCalls } from '../servers/bare-acceptors.ts';
import { type BenchOptions, LOAD } from '../servers/loaded-gateways.ts';
import { type OwnGateway, startOwnGateway } from '../servers/own-gateway.ts';
import type { ServerProcess } from '../servers/server-process.ts';
import type { Percentiles } from '../statistics.ts';

export interface StormFigures {
  readonly kind: 'storm';
  readonly devices: number;
  readonly connectedSeconds: number;
  readonly toldSeconds: number;
  readonly failed: number;
  /** The same devices at two processes of a bare Node server, with nothing beside them. */
  readonly bareToldSeconds: number;
  /** For the steady writes: from the due time of a line to its `stored`. */
  readonly beforeMs: Percentiles;
  readonly duringMs: Percentiles;
  /** The slowest answer of /readyz during the storm. */
  readonly readyzMs: number;
  /** From SIGTERM in the second storm. */
  readonly refusedMs: number;
  readonly exitSeconds: number;
  /** -1 if a signal ended it. */
  readonly exitCode: number;
  readonly windowUs: readonly [from: number, to: number];
}

const BARE = new URL('../servers/bare-acceptors.js', import.meta.url);
const STORM_PROCESSES = 2;
const STORM_TIMEOUT_MS = 60_000;
const WRITES_PER_SECOND = 12_000;
const WRITERS = 200;
const POLL_MS = 50;
/** Time for the gateway to forget the devices of the first storm, and for the system to forget their sockets. */
const BETWEEN_STORMS_MS = 2_000;
/** Time from the first connection of the second storm to SIGTERM. */
const TERM_AFTER_MS = 300;
const EXIT_TIMEOUT_MS = 40_000;
const CONNECT_POLL_MS = 10;
const SERVER_PROCESSES = 2;
const SETTINGS = { TCP_PROCESSES: String(SERVER_PROCESSES), TCP_MAX_CONNECTIONS: '15000' };

/** Rejects if a steady write is lost or refused. Devices of the storm that fail are counted. */
export async function measureStorm(options: BenchOptions): Promise<StormFigures> {
  const { bootstrap, settings, node, profileDir, signal } = options;
  const bareToldSeconds = await measureBare(options);
  const gateway = await startOwnGateway({
    bootstrap,
    name: 'storm',
    settings: { ...SETTINGS, ...settings },
    node,
    profileDir,
    signal,
  });
  const load = new Child<LoadCalls>(LOAD, { signal });
  const storm = stormOn(gateway.server.tcpPort, options);
  try {
    return { bareToldSeconds, ...(await measureWith(gateway, load, storm, options)) };
  } catch (error) {
    throw gateway.server.explained(error);
  } finally {
    await Promise.all([load.stop(), storm.stop()]);
    // Its exit code is a figure here, not a failure.
    await gateway.stop().catch(() => {});
  }
}

const stormOn = (port: number, { devices, signal }: BenchOptions): Storm =>
  new Storm({ port, devices, processes: STORM_PROCESSES, timeoutMs: STORM_TIMEOUT_MS, signal });

/** Rejects if a device is not told. */
async function measureBare(options: BenchOptions): Promise<number> {
  const { node, signal, devices } = options;
  const bare = new Child<BareAcceptorCalls>(BARE, { signal, node });
  try {
    const storm = stormOn(await bare.call('listen', { processes: SERVER_PROCESSES }), options);
    try {
      const { told, toldMs } = await storm.begin();
      if (told < devices) throw new Error(`the bare server told ${told} of ${devices} devices`);
      return toldMs / 1000;
    } finally {
      await storm.stop();
    }
  } finally {
    await bare.stop();
  }
}

async function measureWith(
  { server }: OwnGateway,
  load: Child<LoadCalls>,
  storm: Storm,
  { seconds, warmUpSeconds, devices }: BenchOptions,
): Promise<Omit<StormFigures, 'bareToldSeconds'>> {
  const port = server.tcpPort;
  await load.call('connect', { port, connections: WRITERS, linesPerWrite: 1, seq: true });
  const steady = { perSecond: WRITES_PER_SECOND };
  await load.call('send', { ...steady, count: Math.ceil(warmUpSeconds * WRITES_PER_SECOND) });
  const before = await load.call('send', { ...steady, count: Math.ceil(seconds * WRITES_PER_SECOND) });

  const fromUs = nowUs();
  await load.call('startPaced', steady);
  const poll = new AdminPoll({ port: server.adminPort, path: '/readyz', everyMs: POLL_MS });
  const result = await storm.begin();
  const toUs = nowUs();
  const readyz = await poll.stop();
  if (result.told < devices) console.error(`the gateway says: ${await refusalsText(server)}`);
  const during = await load.call('finishPaced', {});
  if (before.storedMs === undefined || during.storedMs === undefined)
    throw new Error('no confirmation was timed');

  await storm.leave();
  await sleep(BETWEEN_STORMS_MS);
  // SIGTERM cuts the writers off, which is no failure.
  load.call('startPaced', steady).catch(() => {});
  const begun = storm.firstConnected();
  void storm.begin().catch(() => {});
  await begun;
  await sleep(TERM_AFTER_MS);
  const end = await terminate(server);
  return {
    kind: 'storm',
    devices,
    connectedSeconds: result.connectedMs / 1000,
    toldSeconds: result.toldMs / 1000,
    failed: devices - result.told,
    beforeMs: before.storedMs,
    duringMs: during.storedMs,
    readyzMs: readyz.slowestMs,
    ...end,
    windowUs: [fromUs, toUs],
  };
}

async function terminate(server: ServerProcess) {
  const port = server.tcpPort;
  const startMs = performance.now();
  server.kill('SIGTERM');
  const timer = setTimeout(() => server.kill('SIGKILL'), EXIT_TIMEOUT_MS);
  while (!(await isRefused(port))) await sleep(CONNECT_POLL_MS);
  const refusedMs = performance.now() - startMs;
  const code = await server.exited;
  clearTimeout(timer);
  const exitSeconds = (performance.now() - startMs) / 1000;
  return { refusedMs, exitSeconds, exitCode: typeof code === 'number' ? code : -1 };
}

async function refusalsText(server: ServerProcess): Promise<string> {
  const { lines, connections } = await server.stats();
  const refused = Object.entries(lines.refused).filter(([, times]) => times > 0);
  const texts = refused.map(([code, times]) => `${code} ${times}`);
  return `${connections.accepted} accepted, ${connections.active} open, ${texts.join(', ') || 'none refused'}`;
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 1_000 });
    const settle = (refused: boolean) => {
      socket.destroy();
      resolve(refused);
    };
    socket.on('connect', () => settle(false));
    socket.on('timeout', () => settle(false));
    socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code === 'ECONNREFUSED'));
  });
}
