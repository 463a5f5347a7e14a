// The measured runs that model and simulation are held against: storms, CPU at a steady rate and memory of a gateway with
// three server processes, on a machine that the load generator shares.
import { setTimeout as sleep } from 'node:timers/promises';
import { settledBytes } from '../../bench/scenarios/settled.ts';
import { type OwnGateway, withOwnGateway } from '../../bench/servers/own-gateway.ts';
import { median, percentile } from '../../bench/statistics.ts';
import { Child } from '../../load/processes/child.ts';
import { type Certificate, tlsSettings } from '../../scripts/lib/certificate.ts';
import { cpuSecondsOf, residentBytesOf } from '../../scripts/lib/proc.ts';
import type { FleetCalls, StormResult } from './fleet-process.ts';
import type { MeasuredStorm, Run } from './results.ts';
import { CLIENT_PROCESSES, MOST, MOST_UNDER_WAY, SERVER_PROCESSES } from './setup.ts';

export interface Point {
  readonly connections: number;
  /** Storms one after the other; over TLS they take long. */
  readonly storms: { readonly plain: number; readonly tls: number };
  /** Messages a second. */
  readonly perSecond: number;
}

/** The sizes at which docs/scaling.md compares the model with measurements. */
export const POINTS: readonly Point[] = [
  { connections: 1_000, storms: { plain: 5, tls: 3 }, perSecond: 1_000 },
  { connections: 10_000, storms: { plain: 3, tls: 2 }, perSecond: 2_000 },
  { connections: 50_000, storms: { plain: 3, tls: 1 }, perSecond: 5_000 },
];

export interface MeasureOptions {
  readonly bootstrap: string;
  /** With it the devices speak TLS. */
  readonly certificate: Certificate | undefined;
  readonly points: readonly Point[];
  /** Length of the steady load. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

export interface Measured {
  /** CPU of the load generator for a connection, microseconds. Measured at WARM_UP, which is none of the POINTS. */
  readonly clientUs: number;
  readonly runs: readonly Run[];
}

const FLEET = new URL('fleet-process.js', import.meta.url);
/** After three of these storms a connection still cost half as much again as after ten. */
const WARM_UP = {
  ...{ connections: 3_000, storms: 6, counted: 3 },
  // A gateway that had seen 3,000 messages needed more CPU for 1,000 a second than later for 2,000.
  ...{ perSecond: 8_000, seconds: 5 },
} as const;
const STORM_TIMEOUT_MS = 180_000;
/** For the gateway to forget the devices of a storm, and for its garbage collector. */
const BETWEEN_STORMS_MS = 1_000;
const FORGET_POLL_MS = 100;
const STEADY_LEAD_SECONDS = 3;
const SETTINGS = {
  TCP_PROCESSES: String(SERVER_PROCESSES),
  // A server process may have 20,000 descriptors here, and the kernel does not spread connections evenly.
  TCP_MAX_CONNECTIONS: '55000',
  // Devices are silent while memory settles.
  TCP_INACTIVITY_TIMEOUT: '30m',
} as const;

/** Rejects if a device does not come back, a line is not stored, or the gateway does not end in order. */
export async function measure({ bootstrap, certificate, signal, ...how }: MeasureOptions): Promise<Measured> {
  const settings = { ...SETTINGS, ...(certificate && tlsSettings(certificate)) };
  return withOwnGateway({ bootstrap, name: 'validate', settings, signal }, async (gateway) => {
    const fleet = new Fleet(gateway, certificate, signal);
    try {
      return await measureWith(fleet, how, signal);
    } finally {
      await fleet.stop();
    }
  });
}

async function measureWith(
  fleet: Fleet,
  { points, seconds, say }: Pick<MeasureOptions, 'points' | 'seconds' | 'say'>,
  signal: AbortSignal,
): Promise<Measured> {
  const warmUps: MeasuredStorm[] = [];
  while (warmUps.length < WARM_UP.storms) warmUps.push(await fleet.storm(WARM_UP.connections));
  await fleet.steady(WARM_UP.perSecond, WARM_UP.seconds);
  await fleet.leave();
  const clientUs = median(
    warmUps
      .slice(-WARM_UP.counted)
      .map(({ clientCpuSeconds }) => (clientCpuSeconds * 1e6) / WARM_UP.connections),
  );
  say(`warm-up: ${stormText(warmUps.at(-1))}, client ${clientUs.toFixed(0)} us a connection`);
  const runs: Run[] = [];
  for (const { connections, storms: counts, perSecond } of points) {
    const count = fleet.isTls ? counts.tls : counts.plain;
    const storms: MeasuredStorm[] = [];
    for (let storm = 0; storm < count; storm++) {
      storms.push(await fleet.storm(connections));
      say(`${connections}: ${stormText(storms.at(-1))}`);
    }
    const steady = await fleet.steady(perSecond, seconds);
    const memoryBytes = await fleet.memoryBytes(signal);
    await fleet.leave();
    const run = { connections, tls: fleet.isTls, processes: SERVER_PROCESSES, storms, steady, memoryBytes };
    say(
      `${connections}: ${perSecond}/s take ${steady.serverCores.toFixed(3)} + ${steady.firstCores.toFixed(3)} cores, ${(memoryBytes / 1e6).toFixed(0)} MB`,
    );
    runs.push(run);
  }
  return { clientUs, runs };
}

function stormText(storm: MeasuredStorm | undefined): string {
  if (storm === undefined) return 'no storm';
  const { seconds, allSeconds, serverCpuSeconds, firstCpuSeconds, clientCpuSeconds, failures } = storm;
  const cpu = [serverCpuSeconds, firstCpuSeconds, clientCpuSeconds].map((one) => one.toFixed(2)).join(' + ');
  return `99 % back after ${seconds.toFixed(2)} s, all after ${allSeconds.toFixed(2)} s, CPU ${cpu} s, failed attempts ${JSON.stringify(failures)}`;
}

class Fleet {
  readonly isTls: boolean;
  readonly #gateway: OwnGateway;
  readonly #certificate: Certificate | undefined;
  readonly #children: readonly Child<FleetCalls>[];
  #seed = 0;
  #isOpen = false;

  constructor(gateway: OwnGateway, certificate: Certificate | undefined, signal: AbortSignal) {
    this.isTls = certificate !== undefined;
    this.#gateway = gateway;
    this.#certificate = certificate;
    this.#children = Array.from({ length: CLIENT_PROCESSES }, () => new Child<FleetCalls>(FLEET, { signal }));
  }

  /** All devices of an earlier storm leave first. */
  async storm(connections: number): Promise<MeasuredStorm> {
    await this.leave();
    const { server } = this.#gateway;
    const certificate = this.#certificate;
    const target =
      certificate === undefined
        ? { port: server.tcpPort }
        : { port: server.tlsPort, tls: { ca: certificate.cert, servername: 'localhost' } };
    const mostUnderWay = MOST_UNDER_WAY[this.isTls ? 'tls' : 'plain'];
    const seed = this.#seed++;
    const before = this.#cpu();
    this.#isOpen = true;
    const results = await Promise.all(
      this.#children.map((child, index) => {
        const first = Math.floor((connections * index) / CLIENT_PROCESSES);
        const count = Math.floor((connections * (index + 1)) / CLIENT_PROCESSES) - first;
        return child.call('storm', {
          ...target,
          first,
          count,
          seed,
          mostUnderWay,
          timeoutMs: STORM_TIMEOUT_MS,
        });
      }),
    );
    const after = this.#cpu();
    const backMs = results.flatMap((result) => [...result.backMs]).sort((a, b) => a - b);
    return {
      seconds: percentile(backMs, MOST) / 1000,
      allSeconds: percentile(backMs, 1) / 1000,
      failures: addedUp(results),
      serverCpuSeconds: after.server - before.server,
      firstCpuSeconds: after.first - before.first,
      clientCpuSeconds: results.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    };
  }

  /** Sends for STEADY_LEAD_SECONDS before it measures. */
  async steady(perSecond: number, seconds: number): Promise<Run['steady']> {
    const each = (length: number) =>
      Promise.all(
        this.#children.map((child) =>
          child.call('steady', { perSecond: perSecond / CLIENT_PROCESSES, seconds: length }),
        ),
      );
    await each(STEADY_LEAD_SECONDS);
    const [before, startMs] = [this.#cpu(), performance.now()];
    const results = await each(seconds);
    const [after, tookSeconds] = [this.#cpu(), (performance.now() - startMs) / 1000];
    const sent = results.reduce((sum, one) => sum + one.sent, 0);
    return {
      perSecond: sent / tookSeconds,
      serverCores: (after.server - before.server) / tookSeconds,
      firstCores: (after.first - before.first) / tookSeconds,
    };
  }

  /** Resident memory of all processes of the gateway, once it is steady. */
  memoryBytes(signal: AbortSignal): Promise<number> {
    const { pids } = this.#gateway.server;
    return settledBytes(() => pids.reduce((sum, pid) => sum + residentBytesOf(pid), 0), signal);
  }

  async leave(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await Promise.all(this.#children.map((child) => child.call('leave', null)));
    const { server } = this.#gateway;
    while ((await server.stats()).connections.active > 0) await sleep(FORGET_POLL_MS);
    await sleep(BETWEEN_STORMS_MS);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }

  #cpu(): { readonly first: number; readonly server: number } {
    const [first = 0, ...server] = this.#gateway.server.pids.map(cpuSecondsOf);
    return { first, server: server.reduce((sum, seconds) => sum + seconds, 0) };
  }
}

function addedUp(results: readonly StormResult[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { failures } of results)
    for (const [why, times] of Object.entries(failures)) sums[why] = (sums[why] ?? 0) + times;
  return sums;
}
