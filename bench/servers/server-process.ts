// The built server, or another program in its place, as a child process of the bench: settings, ports, figures, CPU
// time and end. Its working directory is temporary.
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnGateway } from '../../scripts/lib/gateway-child.ts';
import { childrenOf, cpuSecondsOf, residentBytesOf } from '../../scripts/lib/proc.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { writeLayout } from '../../src/spool/layout.ts';
import { layoutName } from '../../src/spool/names.ts';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 20_000;
const POLL_MS = 50;
/** Without a newly confirmed record for so long, the run fails. */
const STALL_TIMEOUT_MS = 20_000;
const FASTEST_POLL_MS = 10;
const SLOWEST_POLL_MS = 500;
const LOG_TAIL_LINES = 15;
/** The spool's folder in the server's directory. */
const SPOOL = 'spool';

export interface ServerOptions {
  readonly settings: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Path of another compiled server. Absent: the gateway. */
  readonly main?: string | undefined;
  /** Path of another Node. Absent: the one that runs this. */
  readonly node?: string | undefined;
  /** Directory for a CPU profile. Absent: no profile. */
  readonly profileDir?: string | undefined;
  /** Start while Kafka is away. The partitions of the topic are known, as in an outage. */
  readonly withoutKafka?: boolean | undefined;
}

export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | NodeJS.Signals>;
  readonly #signal: AbortSignal;
  readonly #directory: string;
  readonly #withoutKafka: boolean;
  readonly #log: string[] = [];

  /** Resolves once the server is ready, or with `withoutKafka` once it listens. Rejects with the end of its log. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    // Empty, so that no .env counts. Spool and profile data in it are removed with it.
    const directory = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
    if (options.withoutKafka === true) await rememberPartitions(directory, options.settings);
    const server = new ServerProcess(options, directory);
    try {
      await server.#ready();
    } catch (error) {
      await server.stop().catch(() => {});
      throw server.explained(error);
    }
    return server;
  }

  private constructor(options: ServerOptions, directory: string) {
    const { settings, signal, main, node, profileDir, withoutKafka = false } = options;
    this.#directory = directory;
    this.#signal = signal;
    this.#withoutKafka = withoutKafka;
    const { child, exited } = spawnGateway(
      {
        directory,
        // So that /readyz tells when records flow.
        env: { HTTP_READY_REQUIRES: 'kafka', ...settings, SPOOL_DIR: join(directory, SPOOL) },
        main,
        node,
        nodeFlags: profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`],
        signal,
        removeOnDeath: true,
      },
      (line) => this.#log.push(line),
    );
    this.#child = child;
    this.#exited = exited;
  }

  get tcpPort(): number {
    return this.#portOf(/^TCP server listening on \S+:(\d+)$/);
  }

  get tlsPort(): number {
    return this.#portOf(/^TCP server listening on \S+:(\d+) with TLS$/);
  }

  /** For plain lines. */
  get linesPort(): number {
    return this.#portOf(/^TCP server listening on \S+:(\d+) for plain lines$/);
  }

  get adminPort(): number {
    return this.#portOf(/^Admin HTTP listening on \S+:(\d+)/);
  }

  /** The lines of its log so far, and those that Node itself wrote. */
  get log(): readonly string[] {
    return this.#log;
  }

  /** The exit code, or the signal that ended it. */
  get exited(): Promise<number | NodeJS.Signals> {
    return this.#exited;
  }

  /** Sends a signal to the first process and waits for nothing. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stats(): Promise<Snapshot> {
    const response = await fetch(`${this.#admin}/stats`, { signal: this.#signal });
    return (await response.json()) as Snapshot;
  }

  /** Resident memory of the first process. Asking costs the server nothing. */
  residentBytes(): number {
    return residentBytesOf(this.#pid);
  }

  /** The first process and its server processes. */
  get pids(): number[] {
    return [this.#pid, ...childrenOf(this.#pid)];
  }

  /** User and system time of all threads and processes so far. */
  cpuSeconds(): number {
    return this.pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  }

  /** Waits until `total` records are confirmed. Rejects if there are more, or if none is confirmed for 20 s. */
  async untilConfirmed(total: number): Promise<void> {
    let last = { confirmed: (await this.stats()).records.confirmed, atMs: performance.now() };
    let progressMs = last.atMs;
    for (;;) {
      const { confirmed } = (await this.stats()).records;
      const nowMs = performance.now();
      if (confirmed === total) return;
      if (confirmed > total) throw new Error(`${confirmed} records are confirmed, but ${total} were sent`);
      if (confirmed > last.confirmed) progressMs = nowMs;
      if (nowMs - progressMs > STALL_TIMEOUT_MS) {
        throw new Error(`${confirmed} of ${total} records are confirmed, none for ${STALL_TIMEOUT_MS} ms`);
      }
      // Each look costs the server CPU, so looks are rare until the end is near.
      const perMs = (confirmed - last.confirmed) / (nowMs - last.atMs || 1);
      last = { confirmed, atMs: nowMs };
      const waitMs = Math.min(SLOWEST_POLL_MS, Math.max(FASTEST_POLL_MS, (total - confirmed) / perMs / 2));
      await sleep(waitMs, undefined, { signal: this.#signal });
    }
  }

  /** Rejects if the server did not end in order. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const code = await this.#exited;
    clearTimeout(timer);
    await rm(this.#directory, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the server ended with ${code} instead of 0`);
  }

  /** The error with the end of the server's log. */
  explained(error: unknown): Error {
    const tail = this.#log.slice(-LOG_TAIL_LINES).join('\n');
    const message = error instanceof Error ? error.message : String(error);
    return new Error(`${message}\nThe end of the server's log:\n${tail}`, { cause: error });
  }

  async #ready(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      if (this.#child.exitCode !== null) throw new Error('the server ended at its start');
      if (this.#log.some((line) => line.includes('TCP server listening on')) && (await this.#isReady()))
        return;
      if (performance.now() > deadline)
        throw new Error(`the server is not ready after ${START_TIMEOUT_MS} ms`);
      await sleep(POLL_MS, undefined, { signal: this.#signal });
    }
  }

  async #isReady(): Promise<boolean> {
    if (this.#withoutKafka) return true;
    return (await fetch(`${this.#admin}/readyz`, { signal: this.#signal })).ok;
  }

  get #pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('the server was not started');
    return pid;
  }

  get #admin(): string {
    return `http://127.0.0.1:${this.adminPort}`;
  }

  /** @param said a message of the log with the port as its group @returns NaN if it was not said */
  #portOf(said: RegExp): number {
    const lines = this.#log.filter((line) => line.includes('listening on'));
    const ports = lines.flatMap((line) => said.exec((JSON.parse(line) as { msg: string }).msg)?.[1] ?? []);
    return Number(ports[0] ?? Number.NaN);
  }
}

/** Without known partitions, the gateway would keep its records unplaced and copy them before sending. */
async function rememberPartitions(
  directory: string,
  { KAFKA_TOPIC_METRICS: topic = '', KAFKA_NUM_PARTITIONS: partitions = '10' }: ServerOptions['settings'],
): Promise<void> {
  const spool = join(directory, SPOOL);
  await mkdir(spool, { mode: 0o700 });
  await writeLayout(join(spool, layoutName(topic)), Number(partitions));
}
