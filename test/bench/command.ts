// One of the measuring commands as a process, on the Kafka of the test run.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withAdmin } from '../../scripts/kafka/client.ts';

const TIMEOUT_MS = 90_000;

export interface CommandOutput {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface CommandOptions {
  /** Absent: the command must not get so far. */
  readonly bootstrap?: string;
  /** Sends it SIGINT once what it prints says so, and `before` is done. */
  readonly interruptAt?: RegExp;
  readonly before?: () => Promise<unknown>;
}

/** @param name such as `sustained`, for dist/bench/sustained/main.js */
export async function measuringCommand(
  name: string,
  args: readonly string[],
  { bootstrap = '127.0.0.1:1', interruptAt, before = async () => {} }: CommandOptions = {},
): Promise<CommandOutput> {
  const script = fileURLToPath(new URL(`../../bench/${name}/main.js`, import.meta.url));
  const child = spawn(process.execPath, [script, ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH ?? '', KAFKA_BROKERS: bootstrap },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  let [out, err] = ['', ''];
  let interrupted = false;
  const seen = () => {
    if (interrupted || !interruptAt?.test(out + err)) return;
    interrupted = true;
    void before().finally(() => child.kill('SIGINT'));
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    seen();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    seen();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

export class Files {
  readonly #directory: string;

  constructor(t: TestContext) {
    this.#directory = mkdtempSync(join(tmpdir(), 'sluice-measuring-'));
    t.after(() => rmSync(this.#directory, { recursive: true, force: true }));
  }

  at(name: string): string {
    return join(this.#directory, name);
  }

  read(name: string): string {
    return readFileSync(this.at(name), 'utf8');
  }
}

/** Of those that such a command makes. */
export function topicsOf(bootstrap: string, name: string): Promise<string[]> {
  return withAdmin(bootstrap, async (admin) =>
    (await admin.listTopics()).filter((topic) => topic.startsWith(`sluice.${name}.`)),
  );
}
