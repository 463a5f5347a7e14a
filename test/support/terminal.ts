// A real terminal: a pane of a tmux server of its own, which ends with the test.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { waitFor } from './wait.ts';

/** The compiled program. */
export const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** Only ends a test that hangs. */
const SHOWN_MS = 15_000;
/** Each look starts a process. */
const LOOK_MS = 50;

interface TerminalOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly width?: number;
  readonly height?: number;
}

export class Terminal {
  readonly #socket = `sluice-test-${randomUUID()}`;

  /** Opens a terminal that runs the command. It stays open when the command ends, and shows its exit code. */
  constructor(t: TestContext, command: readonly string[], options: TerminalOptions = {}) {
    const { env = {}, cwd = '/', width = 100, height = 30 } = options;
    t.after(() => this.#tmux('kill-server'));
    const size = ['-x', String(width), '-y', String(height)];
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    this.#tmux(
      '-f',
      '/dev/null',
      '-u',
      'new-session',
      '-d',
      ...size,
      '-c',
      cwd,
      'env',
      ...variables,
      ...command,
    );
    this.#tmux('set-option', '-g', 'remain-on-exit', 'on');
  }

  /** The text on the screen, without the spaces at the ends of lines. */
  screen(): string {
    return this.#tmux('capture-pane', '-p', '-t', ':0').trimEnd();
  }

  /** Waits until the screen shows it. */
  async shows(wanted: string | RegExp): Promise<string> {
    const found = (text: string) => (typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text));
    try {
      return await waitFor(
        `${wanted} on the screen`,
        async () => {
          const text = this.screen();
          if (found(text)) return text;
          await sleep(LOOK_MS);
          return undefined;
        },
        SHOWN_MS,
      );
    } catch {
      throw new Error(`the screen does not show ${wanted}:\n${this.screen()}`);
    }
  }

  /** Types text as it is. */
  type(text: string): void {
    this.#tmux('send-keys', '-t', ':0', '-l', text);
  }

  /** Presses keys by tmux's names, such as Enter, Tab and C-c. */
  press(...keys: readonly string[]): void {
    this.#tmux('send-keys', '-t', ':0', ...keys);
  }

  resize(width: number, height: number): void {
    this.#tmux('resize-window', '-t', ':0', '-x', String(width), '-y', String(height));
  }

  /** A value of tmux, such as `alternate_on` or `pane_dead_status`. */
  value(name: string): string {
    return this.#tmux('display-message', '-p', '-t', ':0', `#{${name}}`).trim();
  }

  /** From now on all that is written to it goes into a file too. */
  record(file: string): void {
    this.#tmux('pipe-pane', '-t', ':0', `cat >> '${file}'`);
  }

  /** Closes it, as a terminal window is closed. */
  close(): void {
    this.#tmux('kill-pane', '-t', ':0');
  }

  #tmux(...args: readonly string[]): string {
    return spawnSync('tmux', ['-L', this.#socket, ...args], { encoding: 'utf8' }).stdout;
  }
}
