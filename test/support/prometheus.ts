// The real Prometheus and promtool: from the folder that scripts/monitoring/install.sh fills, else from the path.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../scripts/kafka/ports.ts';
import { onParentDeath } from '../../scripts/kafka/process.ts';
import { temporaryDirectory } from './directory.ts';
import { skipWithoutTool } from './missing-tool.ts';
import { waitFor } from './wait.ts';

const INSTALL = fileURLToPath(new URL('../../../scripts/monitoring/install.sh', import.meta.url));
let folder: string | undefined;

/** The path of the program. Undefined, and the test is skipped loudly, when it is missing. In CI that is a failure. */
export function programOfPrometheus(t: TestContext, name: 'prometheus' | 'promtool'): string | undefined {
  folder ??= spawnSync('bash', [INSTALL, '--where'], { encoding: 'utf8' }).stdout.trim();
  const found = [join(folder, name), name].find((path) => spawnSync(path, ['--version']).status === 0);
  if (found !== undefined) return found;
  const why = `${name} is missing (bash scripts/monitoring/install.sh)`;
  skipWithoutTool(t, why);
  return undefined;
}

export interface Alerting {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

/** Ends with the test, or with its process. */
export class Prometheus {
  readonly #child: ChildProcess;
  readonly #url: string;
  #said = '';

  /** Resolves when it answers. @param files by name, `prometheus.yml` among them */
  static async start(
    t: TestContext,
    program: string,
    files: Readonly<Record<string, string>>,
  ): Promise<Prometheus> {
    const directory = temporaryDirectory(t);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    const prometheus = new Prometheus(program, directory, await freePort());
    t.after(() => prometheus.#stop());
    await waitFor('Prometheus is ready', async () => {
      if (prometheus.#child.exitCode !== null) throw new Error(`Prometheus ended\n${prometheus.#said}`);
      return fetch(`${prometheus.#url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
    return prometheus;
  }

  private constructor(program: string, directory: string, port: number) {
    this.#url = `http://127.0.0.1:${port}`;
    const args = [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    this.#child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.#said += text;
    });
    const cancel = onParentDeath(['kill', '-9', String(this.#child.pid)]);
    this.#child.once('exit', cancel);
  }

  /** The result now. Rejects if Prometheus refuses the query. */
  async query(expr: string): Promise<readonly Sample[]> {
    const { result } = await this.#ask<{ result: readonly Sample[] }>('query', { query: expr });
    return result;
  }

  /** Those that fire or are about to. */
  async alerts(): Promise<readonly Alerting[]> {
    return (await this.#ask<{ alerts: readonly Alerting[] }>('alerts')).alerts;
  }

  /** The names of all series that it has. */
  async names(): Promise<ReadonlySet<string>> {
    return new Set(await this.#ask<readonly string[]>('label/__name__/values'));
  }

  /** For each rule of an alert, its last error; empty if there is none. */
  async ruleErrors(): Promise<Readonly<Record<string, string>>> {
    type Group = { readonly rules: readonly { readonly name: string; readonly lastError?: string }[] };
    const { groups } = await this.#ask<{ groups: readonly Group[] }>('rules');
    return Object.fromEntries(
      groups.flatMap(({ rules }) => rules).map(({ name, lastError = '' }) => [name, lastError]),
    );
  }

  async #ask<T>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(`${JSON.stringify(parameters)}: ${answer.error}`);
    return answer.data;
  }

  async #stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}
