// A real HAProxy in front of a gateway, or as a judge of PROXY headers. It ends with the test, or with its process.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { onParentDeath } from '../../scripts/kafka/process.ts';
import { temporaryDirectory } from './directory.ts';
import { waitFor } from './wait.ts';

/** Debian installs it in a directory that is only in the path of root. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin`;

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
  if (spawnSync('haproxy', ['-v'], { env: { PATH } }).status === 0) return true;
  const why = 'HAProxy is missing (on Debian: apt-get install haproxy)';
  if (process.env.SLUICE_REQUIRE_TOOLS === '1') throw new Error(`SLUICE_REQUIRE_TOOLS=1, but ${why}`);
  console.error(`SKIPPED: ${t.name}: ${why}`);
  t.skip(why);
  return false;
}

export class Haproxy {
  readonly #child: ChildProcess;
  readonly #socket: string;
  #said = '';

  /** Resolves when it listens. @param sections of its configuration, without `global` and `defaults` */
  static async start(t: TestContext, sections: string): Promise<Haproxy> {
    const directory = temporaryDirectory(t);
    const haproxy = new Haproxy(directory, sections);
    t.after(() => haproxy.#stop());
    await waitFor('HAProxy listens', async () => {
      if (haproxy.#child.exitCode !== null) throw new Error(`HAProxy ended at its start\n${haproxy.#said}`);
      return (await haproxy.#ask('show info').catch(() => '')) !== '';
    });
    return haproxy;
  }

  private constructor(directory: string, sections: string) {
    this.#socket = join(directory, 'stats');
    const file = join(directory, 'haproxy.cfg');
    writeFileSync(file, `global\n  stats socket ${this.#socket}\n  maxconn 2000\n${DEFAULTS}${sections}\n`);
    this.#child = spawn('haproxy', ['-db', '-f', file], {
      env: { PATH },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.#said += text;
    });
    const cancel = onParentDeath(['kill', '-9', String(this.#child.pid)]);
    this.#child.once('exit', cancel);
  }

  /** The results of its health checks, such as `L4OK`, by the name of the section. */
  async checks(): Promise<Map<string, string>> {
    const [head = '', ...rows] = (await this.#ask('show stat')).trim().split('\n');
    const column = head.split(',').indexOf('check_status');
    const servers = rows.map((row) => row.split(',')).filter((cells) => (cells[column] ?? '') !== '');
    // A star says that the next check is under way.
    return new Map(servers.map((cells) => [cells[0] ?? '', (cells[column] ?? '').replace(/^\* /, '')]));
  }

  async #ask(command: string): Promise<string> {
    const socket = connect(this.#socket);
    await once(socket, 'connect');
    socket.end(`${command}\n`);
    const chunks: string[] = [];
    for await (const chunk of socket.setEncoding('utf8')) chunks.push(String(chunk));
    return chunks.join('');
  }

  async #stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}
