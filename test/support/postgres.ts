// A real PostgreSQL for a test: a cluster of its own in a temporary folder, reached by a Unix socket alone.
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { onParentDeath } from '../../scripts/kafka/process.ts';
import { skipWithoutTool } from './missing-tool.ts';

const execute = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';
const TIMEOUT_MS = 60_000;

/** The newest one that Debian installed, which is not in the path, or that of the path. */
function findPrograms(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  const folders = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(DEBIAN, version, 'bin'))
    .filter((folder) => existsSync(join(folder, 'initdb')));
  if (folders[0] !== undefined) return folders[0];
  const path = (process.env.PATH ?? '').split(':');
  return path.find((folder) => folder !== '' && existsSync(join(folder, 'initdb')));
}

/** False, and the test is skipped loudly, when PostgreSQL is missing. In CI that is a failure. */
export function hasPostgres(t: TestContext): boolean {
  if (findPrograms() !== undefined) return true;
  const why = 'PostgreSQL is missing (on Debian: apt-get install postgresql)';
  skipWithoutTool(t, why);
  return false;
}

export class Postgres {
  readonly #programs: string;
  readonly #directory: string;
  /** PostgreSQL refuses to run as root. */
  readonly #user: readonly string[];
  readonly #settings: readonly string[];
  /** Called once the server has been stopped here. */
  readonly #cancel: () => void;
  #pool: pg.Pool | undefined;

  /** Resolves when it takes connections. @param settings such as `shared_buffers=256MB` */
  static async start(t: TestContext, settings: readonly string[] = []): Promise<Postgres> {
    const programs = findPrograms();
    if (programs === undefined) throw new Error('PostgreSQL is missing');
    const postgres = new Postgres(programs, settings);
    t.after(() => postgres.#remove());
    await postgres.#run(
      'initdb',
      '-D',
      postgres.#data,
      '-A',
      'trust',
      '-U',
      'sluice',
      '-E',
      'UTF8',
      '--no-sync',
    );
    await postgres.start();
    return postgres;
  }

  private constructor(programs: string, settings: readonly string[]) {
    this.#programs = programs;
    this.#directory = mkdtempSync(join(tmpdir(), 'sluice-pg-'));
    this.#settings = settings;
    const isRoot = process.getuid?.() === 0;
    const user = ['postgres', 'nobody'].find((name) => spawnSync('id', [name]).status === 0) ?? 'nobody';
    this.#user = isRoot ? ['runuser', '-u', user, '--'] : [];
    if (isRoot) execFileSync('chown', [user, this.#directory]);
    else chmodSync(this.#directory, 0o700);
    this.#cancel = onParentDeath([
      'sh',
      '-c',
      `kill -9 $(head -1 "$0/postmaster.pid"); rm -rf "$1"`,
      this.#data,
      this.#directory,
    ]);
  }

  get #data(): string {
    return join(this.#directory, 'data');
  }

  /** For the consumer. */
  get url(): string {
    return `postgresql://sluice@/postgres?host=${encodeURIComponent(this.#directory)}`;
  }

  async start(): Promise<void> {
    const settings = [
      'listen_addresses=',
      `unix_socket_directories=${this.#directory}`,
      // Tests kill processes. None cuts the power.
      'fsync=off',
      ...this.#settings,
    ];
    const options = settings.map((setting) => `-c ${setting}`).join(' ');
    await this.#run(
      'pg_ctl',
      '-D',
      this.#data,
      '-o',
      options,
      '-l',
      join(this.#directory, 'log'),
      '-w',
      'start',
    );
  }

  /** `immediate` is a kill: connections break, and the next start recovers. */
  async stop(mode: 'fast' | 'immediate'): Promise<void> {
    await this.#run('pg_ctl', '-D', this.#data, '-m', mode, '-w', 'stop');
  }

  async rows<T extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
    if (this.#pool === undefined) {
      this.#pool = new pg.Pool({ connectionString: this.url, max: 2, options: '-c TimeZone=UTC' });
      this.#pool.on('error', () => {});
    }
    return (await this.#pool.query<T>(sql, [...values])).rows;
  }

  /** The first column of the only row. */
  async value(sql: string): Promise<unknown> {
    return Object.values((await this.rows(sql))[0] ?? {})[0];
  }

  async #run(program: string, ...args: string[]): Promise<void> {
    const [command = '', ...rest] = [...this.#user, join(this.#programs, program), ...args];
    await execute(command, rest, { cwd: '/', timeout: TIMEOUT_MS });
  }

  async #remove(): Promise<void> {
    await this.#pool?.end();
    await this.stop('immediate').catch(() => {});
    this.#cancel();
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10 });
  }
}
