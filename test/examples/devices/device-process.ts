// A device client as a process that a test can kill, with all that it started. It remembers each reading that was seen in
// the client's file, because such a reading must not be lost.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { onParentDeath } from '../../../scripts/kafka/process.ts';
import { waitFor } from '../../support/wait.ts';

const SAMPLE_MS = 50;
const MESSAGE = /^\{"type":"metrics","seq":\d+,"data":(\{"n":(\d+),.*\})\}$/;

export type DeviceEnv = Readonly<Record<string, string>>;

export class DeviceProcess {
  readonly stateFile: string;
  /** The text of `data` by `n`, as the file had it. Two different texts of one `n` are a fault. */
  readonly taken = new Map<number, string>();
  readonly faults: string[] = [];
  starts = 0;
  kills = 0;
  #log = '';
  readonly #command: readonly string[];
  readonly #env: DeviceEnv;
  #child: ChildProcess | undefined;
  #callOff = (): void => {};
  #exitCode: number | null | undefined;
  readonly #sampler: NodeJS.Timeout;

  /** @param stateFile its STATE_FILE */
  constructor(t: TestContext, command: readonly string[], stateFile: string, env: DeviceEnv) {
    this.#command = command;
    this.stateFile = stateFile;
    this.#env = { PATH: process.env.PATH ?? '', STATE_FILE: stateFile, ...env };
    this.#sampler = setInterval(() => this.#sample(), SAMPLE_MS);
    t.after(() => this.kill());
    t.after(() => clearInterval(this.#sampler));
  }

  /** Its stderr, over all its starts. */
  get log(): string {
    return this.#log;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  start(): void {
    const [program = '', ...args] = this.#command;
    this.starts++;
    this.#exitCode = undefined;
    const child = spawn(program, args, {
      env: this.#env,
      stdio: ['ignore', 'ignore', 'pipe'],
      // The client of the shell has children: the whole group is killed.
      detached: true,
    });
    this.#child = child;
    if (child.pid !== undefined) this.#callOff = onParentDeath(['kill', '-9', '--', `-${child.pid}`]);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
    child.on('error', (error) => {
      this.#log += `${error}\n`;
    });
    child.on('close', (code) => {
      this.#callOff();
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#exitCode = code;
    });
  }

  /** kill -9. Does nothing if it has ended. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    this.kills++;
    killGroup(child.pid, 'SIGKILL');
    await waitFor('the end of the device', () => this.#child === undefined);
    this.#sample();
  }

  /** To it and all that it started. */
  signal(signal: NodeJS.Signals): void {
    if (this.#child?.pid !== undefined) killGroup(this.#child.pid, signal);
  }

  /** Waits until it ends by itself. @returns its exit code */
  async ended(deadlineMs?: number): Promise<number | null> {
    await waitFor(`the device ends\n${this.#log.slice(-2000)}`, () => !this.isRunning, deadlineMs).catch(
      (error) => {
        throw new Error(
          `${(error as Error).message}\nits last words: ${this.#log.slice(-1000)}\nits file: ${this.text.slice(-500)}`,
        );
      },
    );
    this.#sample();
    return this.#exitCode ?? null;
  }

  /** The content of its file. */
  get text(): string {
    try {
      return readFileSync(this.stateFile, 'utf8');
    } catch {
      return '';
    }
  }

  /** The highest seq that its file calls stored. */
  get stored(): number {
    return Math.max(-1, ...[...this.text.matchAll(/^stored (\d+)$/gm)].map(([, seq]) => Number(seq)));
  }

  #sample(): void {
    for (const line of this.text.split('\n').slice(0, -1)) {
      const [, data, n] = MESSAGE.exec(line) ?? [];
      if (data === undefined) continue;
      const before = this.taken.get(Number(n));
      if (before !== undefined && before !== data) this.faults.push(`${n} was ${before}, and is ${data}`);
      this.taken.set(Number(n), data);
    }
  }
}

function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It has ended meanwhile.
  }
}
