// Watches a gateway from outside while it is attacked: memory, CPU, processes, connections and the admin port.
import { setTimeout as sleep } from 'node:timers/promises';
import { residentBytesOf, waitedMsOf } from '../../scripts/lib/proc.ts';
import { AdminPoll } from '../servers/admin-poll.ts';
import type { ServerProcess } from '../servers/server-process.ts';
import type { Evidence } from './evidence.ts';

export type Watched = Pick<
  Evidence,
  | 'rssMiB'
  | 'cores'
  | 'waitedShare'
  | 'restarts'
  | 'mostConnections'
  | 'refusals'
  | 'series'
  | 'healthz'
  | 'readyz'
>;

const SAMPLE_MS = 100;
const STATS_EVERY = 5;
const POLL_MS = 200;
const METRICS_TIMEOUT_MS = 10_000;

export class Watch {
  readonly #server: ServerProcess;
  readonly #pids: ReadonlySet<number>;
  readonly #rssBytes = new Map<number, number>();
  readonly #polls: readonly [healthz: AdminPoll, readyz: AdminPoll];
  readonly #stopped = new AbortController();
  readonly #sampling: Promise<void>;
  readonly #before: Before;
  readonly #fromMs = performance.now();
  #mostConnections = 0;

  static async start(server: ServerProcess): Promise<Watch> {
    return new Watch(server, {
      ...(await figuresOf(server)),
      cpuSeconds: server.cpuSeconds(),
      waitedMs: waitedOf(server),
    });
  }

  private constructor(server: ServerProcess, before: Before) {
    this.#server = server;
    this.#before = before;
    this.#pids = new Set(server.pids);
    const port = server.adminPort;
    this.#polls = [
      new AdminPoll({ port, path: '/healthz', everyMs: POLL_MS }),
      new AdminPoll({ port, path: '/readyz', everyMs: POLL_MS }),
    ];
    this.#sampling = this.#sample();
  }

  /** Ends the watch. Figures of a gateway that is gone are those before the attack. */
  async stop(): Promise<Watched> {
    const seconds = (performance.now() - this.#fromMs) / 1000;
    const cpuSeconds = attempt(() => this.#server.cpuSeconds()) ?? this.#before.cpuSeconds;
    const waitedMs = [...waitedOf(this.#server)].map(
      ([pid, waited]) => waited - (this.#before.waitedMs.get(pid) ?? 0),
    );
    this.#stopped.abort();
    await this.#sampling;
    const [healthz, readyz] = await Promise.all(this.#polls.map((poll) => poll.stop()));
    const after = await figuresOf(this.#server).catch(() => this.#before);
    const pids = attempt(() => this.#server.pids) ?? [];
    if (healthz === undefined || readyz === undefined) throw new Error('two polls');
    return {
      rssMiB: [...this.#rssBytes.values()].map((bytes) => bytes / 2 ** 20),
      cores: Math.max(0, cpuSeconds - this.#before.cpuSeconds) / seconds,
      waitedShare: Math.max(0, ...waitedMs) / 1000 / seconds,
      restarts: pids.filter((pid) => !this.#pids.has(pid)).length,
      mostConnections: this.#mostConnections,
      refusals: difference(after.refusals, this.#before.refusals),
      series: { before: this.#before.series, after: after.series },
      healthz,
      readyz,
    };
  }

  async #sample(): Promise<void> {
    const { signal } = this.#stopped;
    for (let sample = 0; !signal.aborted; sample++) {
      // A process may end between the two.
      for (const pid of attempt(() => this.#server.pids) ?? []) {
        const bytes = attempt(() => residentBytesOf(pid)) ?? 0;
        this.#rssBytes.set(pid, Math.max(bytes, this.#rssBytes.get(pid) ?? 0));
      }
      if (sample % STATS_EVERY === 0) void this.#count();
      await sleep(SAMPLE_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #count(): Promise<void> {
    const active = await this.#server.stats().then(
      ({ connections }) => connections.active,
      () => 0,
    );
    this.#mostConnections = Math.max(this.#mostConnections, active);
  }
}

type Counts = Readonly<Record<string, number>>;

interface Before {
  readonly refusals: Counts;
  readonly series: number;
  readonly cpuSeconds: number;
  /** By process. */
  readonly waitedMs: ReadonlyMap<number, number>;
}

async function figuresOf(server: ServerProcess): Promise<Pick<Before, 'refusals' | 'series'>> {
  const { lines } = await server.stats();
  const url = `http://127.0.0.1:${server.adminPort}/metrics`;
  const metrics = await (await fetch(url, { signal: AbortSignal.timeout(METRICS_TIMEOUT_MS) })).text();
  return { refusals: lines.refused, series: metrics.split('\n').filter((line) => /^\w/.test(line)).length };
}

function waitedOf(server: ServerProcess): Map<number, number> {
  const pids = attempt(() => server.pids) ?? [];
  return new Map(pids.map((pid) => [pid, attempt(() => waitedMsOf(pid)) ?? 0]));
}

function difference(after: Counts, before: Counts): Record<string, number> {
  const changes = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)] as const);
  return Object.fromEntries(changes.filter(([, change]) => change > 0));
}

/** Undefined if the process is gone. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
