// Measures the CPU time of a gateway in which nothing happens: with one process and with two, without connections and with
// 10,000 that have identified and are silent.
import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from '../now-us.ts';
import { type BenchOptions, type Gateway, withGateways } from '../servers/loaded-gateways.ts';

export interface IdleFigures {
  readonly kind: 'idle';
  readonly connections: number;
  readonly one: IdleCpu;
  /** Of all three processes: the first one and two server processes. */
  readonly two: IdleCpu;
  readonly windowUs: readonly [from: number, to: number];
}

/** Percent of a core, user and system time of all processes of the gateway. */
export interface IdleCpu {
  readonly nonePercent: number;
  readonly silentPercent: number;
}

const CONNECTIONS = 10_000;
/** V8 collects garbage two or three times within some 20 s after the last work: settled.ts. */
const REST_MS = 30_000;
/** With the rest less than TCP_INACTIVITY_TIMEOUT, which closes silent connections. */
const WINDOW_MS = 20_000;

/** Rejects if a connection is refused or closed, with the end of the gateway's log. */
export async function measureIdle(options: BenchOptions): Promise<IdleFigures> {
  const fromUs = nowUs();
  const one = await measureProcesses(options, '1');
  const two = await measureProcesses(options, '2');
  return { kind: 'idle', connections: CONNECTIONS, one, two, windowUs: [fromUs, nowUs()] };
}

function measureProcesses(options: BenchOptions, processes: string): Promise<IdleCpu> {
  const plan = { settings: { TCP_PROCESSES: processes }, profileDir: options.profileDir };
  return withGateways(options, [plan], async ([{ server, load }]) => {
    const nonePercent = await percentOfCore(server, options.signal);
    await load.call('connect', {
      port: server.tcpPort,
      connections: CONNECTIONS,
      linesPerWrite: 1,
      seq: false,
    });
    const silentPercent = await percentOfCore(server, options.signal);
    const { connections } = await server.stats();
    if (connections.identified !== CONNECTIONS)
      throw new Error(`${connections.identified} connections are left`);
    return { nonePercent, silentPercent };
  });
}

async function percentOfCore(server: Gateway['server'], signal: AbortSignal): Promise<number> {
  await sleep(REST_MS, undefined, { signal });
  const fromMs = performance.now();
  const before = server.cpuSeconds();
  await sleep(WINDOW_MS, undefined, { signal });
  const seconds = (performance.now() - fromMs) / 1000;
  return ((server.cpuSeconds() - before) / seconds) * 100;
}
