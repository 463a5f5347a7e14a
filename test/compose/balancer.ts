// A real HAProxy with deploy/haproxy/haproxy.cfg, in front of gateways on other addresses of loopback.
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../scripts/kafka/ports.ts';
import { checkOf, HAPROXY_PATH, HaproxyProcess, statisticsRows } from '../support/haproxy.ts';

export const CONFIG = fileURLToPath(new URL('../../../deploy/haproxy/haproxy.cfg', import.meta.url));
/** Less than in production: nobody but root may open so many files. */
const MAXCONN = '2000';

type Env = Readonly<Record<string, string>>;

/** `haproxy -c`: whether the file is valid, and the text that says so. */
export function checkConfig(env: Env): { readonly valid: boolean; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('haproxy', ['-c', '-f', CONFIG], {
    encoding: 'utf8',
    env: { PATH: HAPROXY_PATH, ...env, HAPROXY_MAXCONN: MAXCONN },
  });
  return { valid: status === 0, said: stdout + stderr };
}

export interface ServerRow {
  /** `UP`, `DOWN`, or on the way between them such as `UP 1/2`. */
  readonly status: string;
  /** Open connections. */
  readonly open: number;
  /** Result of the last check, such as `L7OK`. */
  readonly check: string;
}

export class Balancer {
  readonly #process: HaproxyProcess;
  readonly #stats: string;

  /** Resolves when it listens. @param env without STATS_BIND @param config absent: that of the checkout */
  static async start(t: TestContext, env: Env, config = CONFIG): Promise<Balancer> {
    const stats = `127.0.0.1:${await freePort()}`;
    const haproxy = new HaproxyProcess(t, config, { ...env, HAPROXY_MAXCONN: MAXCONN, STATS_BIND: stats });
    const balancer = new Balancer(haproxy, stats);
    await haproxy.listens(async () => (await balancer.ask('/healthz')).ok);
    return balancer;
  }

  private constructor(haproxy: HaproxyProcess, stats: string) {
    this.#process = haproxy;
    this.#stats = stats;
  }

  /** A line for each connection that has ended, and for each gateway that comes or goes. */
  get log(): string {
    return this.#process.log;
  }

  ask(path: string): Promise<Response> {
    return fetch(`http://${this.#stats}${path}`, { signal: AbortSignal.timeout(5000) });
  }

  /** The servers, by `backend/server`. */
  async servers(): Promise<Map<string, ServerRow>> {
    const rows = statisticsRows(await (await this.ask('/stats;csv')).text());
    return new Map(
      rows.map((row) => [
        `${row.get('pxname')}/${row.get('svname')}`,
        { status: row.get('status') ?? '', open: Number(row.get('scur')), check: checkOf(row) },
      ]),
    );
  }

  async server(name: string): Promise<ServerRow> {
    const row = (await this.servers()).get(name);
    if (row === undefined) throw new Error(`HAProxy has no server ${name}`);
    return row;
  }

  /** Graceful, as Compose stops it. Resolves when it has ended. */
  stopSoftly(): Promise<void> {
    return this.#process.stop('SIGUSR1');
  }
}
