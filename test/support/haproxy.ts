// A real HAProxy: its process, and one with a few sections of configuration in front of a gateway or as a judge of PROXY
// headers.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { onParentDeath } from '../../scripts/kafka/process.ts';
import { temporaryDirectory } from './directory.ts';
import { skipWithoutTool } from './missing-tool.ts';
import { waitFor } from './wait.ts';

/** Debian installs it in a directory that is only in the path of root. */
export const HAPROXY_PATH = `${process.env.PATH ?? ''}:/usr/sbin`;

const DEFAULTS = `
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout check 5s
  retries 0
`;

/** False, and the test is skipped loudly, when HAProxy is missing. In CI that is a failure. */
export function hasHaproxy(t: TestContext): boolean {
  if (spawnSync('haproxy', ['-v'], { env: { PATH: HAPROXY_PATH } }).status === 0) return true;
  const why = 'HAProxy is missing (on Debian: apt-get install haproxy)';
  skipWithoutTool(t, why);
  return false;
}

/** It ends with the test, or with its process. */
export class HaproxyProcess {
  readonly #child: ChildProcess;
  /** Its output on both streams. */
  log = '';

  /** @param file its configuration */
  constructor(t: TestContext, file: string, env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn('haproxy', ['-db', '-f', file], {
      env: { PATH: HAPROXY_PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        this.log += text;
      });
    }
    const callOff = onParentDeath(['kill', '-9', String(this.#child.pid)]);
    this.#child.once('exit', callOff);
    t.after(() => this.stop('SIGKILL'));
  }

  /** Resolves when it listens. @param ask whether it answers; a rejection is a no */
  async listens(ask: () => Promise<boolean>): Promise<void> {
    await waitFor('HAProxy listens', async () => {
      if (this.#child.exitCode !== null) throw new Error(`HAProxy ended at its start\n${this.log}`);
      return ask().catch(() => false);
    });
  }

  /** SIGUSR1 ends it when its connections have ended. Resolves when it has ended. */
  async stop(signal: 'SIGKILL' | 'SIGUSR1'): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }
}

/** A table of HAProxy's statistics: for each row its cells, by column. */
export function statisticsRows(csv: string): ReadonlyMap<string, string>[] {
  const [head = '', ...rows] = csv.trim().split('\n');
  const names = head.replace('# ', '').split(',');
  return rows.map((row) => {
    const cells = row.split(',');
    return new Map(names.map((name, index) => [name, cells[index] ?? '']));
  });
}

/** The result of the last health check, such as `L4OK`; empty for a row that is no server. */
export function checkOf(row: ReadonlyMap<string, string>): string {
  // A star says that the next check is under way.
  return (row.get('check_status') ?? '').replace(/^\* /, '');
}

export class Haproxy {
  readonly #socket: string;

  /** Resolves when it listens. @param sections of its configuration, without `global` and `defaults` */
  static async start(t: TestContext, sections: string): Promise<Haproxy> {
    const directory = temporaryDirectory(t);
    const socket = join(directory, 'stats');
    const file = join(directory, 'haproxy.cfg');
    writeFileSync(file, `global\n  stats socket ${socket}\n  maxconn 2000\n${DEFAULTS}${sections}\n`);
    const haproxy = new Haproxy(socket);
    await new HaproxyProcess(t, file).listens(async () => (await haproxy.#ask('show info')) !== '');
    return haproxy;
  }

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** The results of its health checks, such as `L4OK`, by the name of the section. */
  async checks(): Promise<Map<string, string>> {
    const servers = statisticsRows(await this.#ask('show stat')).filter((row) => checkOf(row) !== '');
    return new Map(servers.map((row) => [row.get('pxname') ?? '', checkOf(row)]));
  }

  async #ask(command: string): Promise<string> {
    const socket = connect(this.#socket);
    await once(socket, 'connect');
    socket.end(`${command}\n`);
    const chunks: string[] = [];
    for await (const chunk of socket.setEncoding('utf8')) chunks.push(String(chunk));
    return chunks.join('');
  }
}
