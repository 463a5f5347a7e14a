// The example consumer as a process that a test can kill.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { waitFor } from './wait.ts';

const MAIN = fileURLToPath(new URL('../../examples/consumer/src/main.js', import.meta.url));

export class ConsumerProcess {
  readonly #child: ChildProcess;
  #log = '';

  constructor(t: TestContext, env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [MAIN], {
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (text: string) => {
      this.#log += text;
    };
    this.#child.stdout?.setEncoding('utf8').on('data', keep);
    this.#child.stderr?.setEncoding('utf8').on('data', keep);
    t.after(() => this.#child.kill('SIGKILL'));
  }

  get log(): string {
    return this.#log;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Resolves once Kafka has given it partitions. */
  async joined(): Promise<void> {
    await waitFor('the consumer has joined its group', () => {
      if (this.exitCode !== null) throw new Error(`the consumer has ended\n${this.#log}`);
      return this.#log.includes('gave this consumer its partitions');
    });
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended();
  }

  /** @returns the exit code */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return await this.ended();
  }

  async ended(): Promise<number | null> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }
}
