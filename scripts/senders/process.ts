// A process of a sender, in a process group of its own: it may be a pipeline of a shell. It ends with its group, also if
// this process is killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onParentDeath } from '../kafka/process.ts';
import type { Program } from './tools.ts';

/** A sender that has this much time to end by itself is killed after it. */
const STOP_MS = 3_000;
const MAX_SAID = 8_192;

export class SenderProcess {
  readonly #child: ChildProcess;
  readonly #cancel: () => void;
  #said = '';

  constructor({ command, args, env }: Program, directory: string) {
    this.#child = spawn(command, args, {
      env,
      cwd: directory,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { pid } = this.#child;
    this.#cancel = pid === undefined ? () => undefined : onParentDeath(['kill', '-9', '--', `-${pid}`]);
    this.#child.on('error', (error) => this.#hear(error.message));
    // It may end before it has read all of its input.
    this.#child.stdin?.on('error', () => undefined);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
  }

  /** @throws Error if it could not be started */
  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(this.#said);
    return pid;
  }

  /** The end of its output, for the message of a failed test. */
  get said(): string {
    return this.#said;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  /** SIGTERM for the whole group, then SIGKILL. */
  async stop(): Promise<void> {
    if (!this.hasEnded) {
      const ended = once(this.#child, 'exit');
      this.#signal('SIGTERM');
      const timer = setTimeout(() => this.#signal('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(timer);
    }
    // Others of a pipeline may outlive its shell.
    this.#signal('SIGKILL');
    this.#cancel();
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // None of the group is left.
    }
  }

  #hear(text: string): void {
    this.#said = (this.#said + text).slice(-MAX_SAID);
  }
}
