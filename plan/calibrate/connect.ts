// Measures the CPU of arrivals: connect and identify, plain, after a full TLS handshake and after one with a ticket.
import { setTimeout as sleep } from 'node:timers/promises';
import { type CalibrationOptions, cpuBetween, cpuOf, type Stage, withStage } from './stage.ts';

export const KINDS = ['plain', 'full', 'resumed'] as const;
export type ArrivalKind = (typeof KINDS)[number];

export interface ArrivalCost {
  readonly kind: ArrivalKind;
  /** CPU of a connection, of all server processes and of the first process. */
  readonly serverUs: number;
  readonly primaryUs: number;
}

/** With 2,000 devices these are 20,000 arrivals. After 9,000 the code of three server processes was not compiled yet. */
const WARM_UP_STORMS = { plain: 10, full: 10, resumed: 3 } as const;
const POLL_MS = 20;
/** The kernel has to forget the sockets, and the gateway the devices. */
const REST_MS = 200;

/** Each kind `runs` times, in turns. Rejects if a handshake with a ticket was a full one. */
export function measureArrivals(options: CalibrationOptions): Promise<ArrivalCost[]> {
  return withStage(options, {}, async (stage) => {
    const { connections, runs } = options;
    for (const kind of KINDS)
      for (let storm = 0; storm < WARM_UP_STORMS[kind]; storm++) await arrive(stage, kind, connections);
    const costs: ArrivalCost[] = [];
    for (let run = 0; run < runs; run++)
      for (const kind of KINDS) costs.push({ kind, ...(await arrive(stage, kind, connections)) });
    return costs;
  });
}

async function arrive(stage: Stage, kind: ArrivalKind, count: number) {
  const { server, fleet } = stage;
  const tls = kind !== 'plain';
  const port = tls ? server.tlsPort : server.tcpPort;
  const from = cpuOf(stage);
  const resumed = await fleet.call('arrive', {
    port,
    ca: tls ? stage.ca : null,
    count,
    // A storm. Those that come one by one each wake a process, and cost twice as much.
    atOnce: count,
    resume: kind === 'resumed',
  });
  const cpu = cpuBetween(from, cpuOf(stage));
  if (kind === 'resumed' && resumed < count)
    throw new Error(`only ${resumed} of ${count} handshakes used their ticket`);
  await fleet.call('leave', null);
  while ((await server.stats()).connections.active > 0) await sleep(POLL_MS);
  await sleep(REST_MS);
  return { serverUs: (cpu.servers * 1e6) / count, primaryUs: (cpu.primary * 1e6) / count };
}
