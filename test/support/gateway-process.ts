// The built gateway as a process that a test can kill. Reads its figures only through /stats.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../scripts/kafka/ports.ts';
import { spawnGateway } from '../../scripts/lib/gateway-child.ts';
import { childrenOf, cpuSecondsOf } from '../../scripts/lib/proc.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { waitFor } from './wait.ts';

/** A sample costs 3 to 5 ms of CPU time in all processes. */
const SAMPLE_MS = 200;
const STATS_TIMEOUT_MS = 5_000;
const LOG_TAIL = 40;

export type Env = Readonly<Record<string, string>>;

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly reason?: string;
  readonly [field: string]: unknown;
}

export class GatewayProcess {
  readonly port: number;
  readonly env: Env;
  /** Samples of /stats whose sums were wrong, in words. */
  readonly imbalances: string[] = [];
  /** The log lines of all its processes. */
  readonly log: LogLine[] = [];
  samples = 0;
  kills = 0;
  readonly httpPort: number;
  readonly #directory: string;
  #child: ChildProcess | undefined;
  /** Each start has a process group of its own. */
  readonly #groups: number[] = [];
  #exited: Promise<number | NodeJS.Signals> = Promise.resolve(0);
  #latest: Snapshot | undefined;
  #watching = true;

  private constructor(ports: { tcp: number; http: number }, directory: string, env: Env) {
    this.port = ports.tcp;
    this.httpPort = ports.http;
    this.#directory = directory;
    this.env = env;
    void this.#watch();
  }

  /**
   * Reserves the ports that `env` does not name; start() starts the process.
   * @param directory its working directory
   */
  static async reserve(directory: string, env: Env): Promise<GatewayProcess> {
    const ports = {
      tcp: Number(env.TCP_PORT ?? (await freePort())),
      http: Number(env.HTTP_PORT ?? (await freePort())),
    };
    return new GatewayProcess(ports, directory, env);
  }

  /** The latest sample. Throws if there is none since the start. */
  get stats(): Snapshot {
    if (this.#latest === undefined) throw new Error(`the gateway has given no figures\n${this.logTail()}`);
    return this.#latest;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** Resolves when it serves devices and gives its figures. */
  async start(env: Env = {}): Promise<void> {
    const logged = this.log.length;
    const serves = () => this.said(/^TCP server listening/, logged);
    const own = { TCP_PORT: String(this.port), HTTP_PORT: String(this.httpPort), STATS_INTERVAL: '0' };
    const { child, exited } = spawnGateway(
      { directory: this.#directory, env: { ...own, ...this.env, ...env } },
      (line) => this.log.push(parseLine(line)),
    );
    this.#child = child;
    if (child.pid !== undefined) this.#groups.push(child.pid);
    this.#exited = exited.then((end) => {
      this.#child = undefined;
      return end;
    });
    const needs = (what: string, condition: () => boolean) =>
      waitFor(what, () => {
        if (this.#child === undefined) throw new Error(`the gateway ended at its start\n${this.logTail()}`);
        return condition();
      });
    await needs('the gateway serves', serves);
    // Figures from before the start lack the records that the start found in the spool.
    this.#latest = undefined;
    await needs('the gateway gives its figures', () => this.#latest !== undefined);
  }

  /** Its exit code, or the signal that ended it. */
  exited(): Promise<number | NodeJS.Signals> {
    return this.#exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Process ids of its server processes, oldest first. */
  get children(): number[] {
    const { pid } = this;
    return pid === undefined ? [] : childrenOf(pid);
  }

  /** kill -9. */
  async kill(): Promise<void> {
    if (this.#child === undefined) throw new Error(`there is no gateway to kill\n${this.logTail()}`);
    this.kills++;
    this.signal('SIGKILL');
    await this.#exited;
  }

  /** Kills it with all its server processes, those of former starts too. It does not start again. */
  async close(): Promise<void> {
    this.#watching = false;
    this.signal('SIGKILL');
    // A server process in SIGSTOP does not notice that its first process is gone.
    for (const group of this.#groups) killGroup(group);
    await this.#exited;
  }

  /** Its share of one core over `ms`, while nobody asks for figures. */
  async cpuShare(ms: number): Promise<number> {
    return await this.unasked(async () => {
      const { pid } = this;
      if (pid === undefined) throw new Error(`there is no gateway to look at\n${this.logTail()}`);
      const before = cpuSecondsOf(pid);
      await sleep(ms);
      return (cpuSecondsOf(pid) - before) / (ms / 1000);
    });
  }

  /** Of all its processes since the start. */
  get cpuSeconds(): number {
    const { pid, children } = this;
    if (pid === undefined) throw new Error(`there is no gateway to look at\n${this.logTail()}`);
    return [pid, ...children].reduce((sum, one) => sum + cpuSecondsOf(one), 0);
  }

  /** Does the work while this object asks for no figures. */
  async unasked<T>(work: () => Promise<T>): Promise<T> {
    this.#watching = false;
    await sleep(2 * SAMPLE_MS);
    try {
      return await work();
    } finally {
      this.#watching = true;
      void this.#watch();
    }
  }

  /** The answer of the admin port to `path`, with HTTP_TOKEN if it is set, whatever its status. Empty if none comes. */
  async ask(path: string): Promise<string> {
    const { HTTP_TOKEN: token, HTTP_HOST: host = '127.0.0.1' } = this.env;
    try {
      const signal = AbortSignal.timeout(STATS_TIMEOUT_MS);
      const init = { signal, ...(token && { headers: { Authorization: `Bearer ${token}` } }) };
      return await (await fetch(`http://${host}:${this.httpPort}${path}`, init)).text();
    } catch {
      return '';
    }
  }

  logTail(): string {
    return this.log
      .slice(-LOG_TAIL)
      .map(({ level, time, msg, reason, err }) => {
        const why = reason ?? (err === undefined ? '' : JSON.stringify(err));
        return `  ${level} ${time} ${msg} ${why}`;
      })
      .join('\n');
  }

  /** True if a log line from index `from` on matches. */
  said(pattern: RegExp, from = 0): boolean {
    return this.log.slice(from).some(({ msg, reason }) => pattern.test(`${msg} ${reason ?? ''}`));
  }

  async #watch(): Promise<void> {
    while (this.#watching) {
      const child = this.#child;
      const sample = child && (await this.#sample());
      // An answer of a former process says nothing about the present one.
      if (sample !== undefined && child === this.#child) this.#take(sample);
      await sleep(SAMPLE_MS);
    }
  }

  async #sample(): Promise<Snapshot | undefined> {
    try {
      return JSON.parse(await this.ask('/stats')) as Snapshot;
    } catch {
      return undefined;
    }
  }

  #take(sample: Snapshot): void {
    this.#latest = sample;
    this.samples++;
    const { accepted, recovered, confirmed, spooled, inFlight, open, deadLettered, damaged, abandoned } =
      sample.records;
    const sum = confirmed + spooled + inFlight + open + deadLettered + damaged + abandoned;
    if (accepted + recovered !== sum || Math.min(...Object.values(sample.records)) < 0)
      this.imbalances.push(
        `records, off by ${accepted + recovered - sum}: ${JSON.stringify(sample.records)}`,
      );
    const { received, accepted: lines, refusedLines, waiting } = sample.lines;
    if (received !== lines + refusedLines + waiting || waiting < 0)
      this.imbalances.push(`lines: ${JSON.stringify(sample.lines)}`);
  }
}

/** A gateway that runs until the test ends. The test fails if a sample of the figures did not balance. */
export async function runGateway(t: TestContext, directory: string, env: Env): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.reserve(directory, env);
  t.after(async () => {
    await gateway.close();
    assert.deepEqual(gateway.imbalances, []);
  });
  await gateway.start();
  return gateway;
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: 0, msg: line };
  }
}

function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // None of its processes is left.
  }
}
