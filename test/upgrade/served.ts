// A gateway whose program changes while its port, its settings and its spool stay: an upgrade or a rollback. It asks
// nothing of the admin port, whose answers differ between versions.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../scripts/kafka/ports.ts';
import { type GatewayChild, spawnGateway } from '../../scripts/lib/gateway-child.ts';
import { waitFor } from '../support/wait.ts';
import type { Build } from './builds.ts';

export type Env = Readonly<Record<string, string>>;

const LOG_TAIL = 30;
const START_MS = 60_000;

export class Served {
  readonly port: number;
  readonly httpPort: number;
  readonly spool: string;
  readonly #directory: string;
  readonly #env: Env;
  #child: GatewayChild | undefined;
  /** Of the latest start. */
  log: string[] = [];

  private constructor(ports: { tcp: number; http: number }, env: Env, spool?: string) {
    this.port = ports.tcp;
    this.httpPort = ports.http;
    this.#directory = mkdtempSync(join(tmpdir(), 'sluice-upgrade-'));
    this.spool = spool ?? join(this.#directory, 'spool');
    this.#env = env;
  }

  /** @param spool that of another one, by default its own */
  static async reserve(env: Env, spool?: string): Promise<Served> {
    return new Served({ tcp: await freePort(), http: await freePort() }, env, spool);
  }

  /** Resolves when devices are served. @throws Error if the program ends before that */
  async start(build: Build, env: Env = {}): Promise<void> {
    const ended = this.#launch(build, env);
    let code: number | NodeJS.Signals | undefined;
    void ended.then((end) => {
      code = end;
    });
    await waitFor(
      `${build.name} serves`,
      async () => {
        if (code !== undefined) throw new Error(`${build.name} ended with ${code}\n${this.#tail}`);
        return takesConnections(this.port);
      },
      START_MS,
    );
  }

  /** For a start that is refused. Resolves with the exit code. */
  async startsInVain(build: Build, env: Env = {}): Promise<number | NodeJS.Signals> {
    const ended = await this.#launch(build, env);
    this.#child = undefined;
    return ended;
  }

  /** SIGTERM. The stop has to succeed. */
  async stop(): Promise<void> {
    const code = await this.#end('SIGTERM');
    assert.equal(code, 0, `the stop ended with ${code}\n${this.#tail}`);
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Kills it, and removes its directory. */
  async close(): Promise<void> {
    const pid = this.#child?.child.pid;
    await this.kill();
    // Server processes end by themselves when the first process is gone, but a moment later.
    if (pid !== undefined) killGroup(pid);
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10 });
  }

  #launch(build: Build, env: Env): Promise<number | NodeJS.Signals> {
    assert.equal(this.#child, undefined, 'a gateway runs already');
    this.log = [];
    const own = {
      TCP_PORT: String(this.port),
      HTTP_PORT: String(this.httpPort),
      SPOOL_DIR: this.spool,
      STATS_INTERVAL: '0',
      SHUTDOWN_TIMEOUT: '5s',
    };
    const child = spawnGateway(
      {
        directory: this.#directory,
        main: build.main,
        env: { ...own, ...this.#env, ...env },
        removeOnDeath: true,
      },
      (line) => this.log.push(line),
    );
    this.#child = child;
    return child.exited;
  }

  async #end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    const child = this.#child;
    if (child === undefined) return 0;
    child.child.kill(signal);
    const code = await child.exited;
    this.#child = undefined;
    return code;
  }

  get #tail(): string {
    return this.log.slice(-LOG_TAIL).join('\n');
  }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
