// Runs commands of the pages as a person would: one after the other in a shell, in a folder of its own, with the real program,
// the real npm and real sockets. Only ports, and names that the page leaves open, are replaced.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort, isFree } from '../../scripts/kafka/ports.ts';
import { onParentDeath } from '../../scripts/kafka/process.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { userEnvironment } from '../support/npm.ts';
import { waitFor } from '../support/wait.ts';
import { wholeCommand } from './page-commands.ts';
import { ROOT } from './pages.ts';

export interface Step {
  /** As the page has it. */
  readonly command: string;
  /** The folder, from that of the scene. `checkout` is a copy of this one, by links. */
  readonly in?: 'checkout' | 'folder';
  /** 0 if left out. */
  readonly exit?: number;
  /** Its output has to match, on either stream. */
  readonly shows?: RegExp;
  /** It goes on until the end of the scene, or until the next step of this kind. The scene goes on when its output matches. */
  readonly serves?: RegExp;
  /** It goes on until the end of the scene, beside the gateway. The scene goes on when this port is open. */
  readonly listens?: Port;
  /** It gets Ctrl-C when its output matches. */
  readonly until?: RegExp;
  /** Typed when it has begun; its input ends `until` the output matches, or at once. */
  readonly input?: string;
  /** It changes the shell, so later steps need it: a function, a variable, an export. */
  readonly keeps?: true;
  /** It is a statement for `psql` and no shell command. */
  readonly isSql?: true;
  /** Replaced in the command: for a name that the page leaves open, or a time that is too long for a test. */
  readonly instead?: Readonly<Record<string, string>>;
  /** The first group of the match in its output stands for `sluice_...` in later steps. */
  readonly token?: RegExp;
}

export interface SceneOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Replaced in every command, as ports are. */
  readonly instead?: Readonly<Record<string, string>>;
}

const STEP_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;
/** The ports of the pages: devices, TLS, plain lines, the admin port, HAProxy. */
const PORTS = ['8080', '8443', '8090', '9108', '9443'] as const;
type Port = (typeof PORTS)[number];
const PORT_IN_TEXT = new RegExp(`(?<![\\w.-])(?:${PORTS.join('|')})(?![\\w-])`, 'g');

interface Running {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly ended: Promise<number | null>;
}

export class Scene {
  readonly directory: string;
  readonly #ports: ReadonlyMap<Port, number>;
  readonly #options: SceneOptions;
  readonly #kept: string[] = [];
  #token = '';
  readonly #beside: Running[] = [];
  #served: Running | undefined;

  private constructor(t: TestContext, ports: ReadonlyMap<Port, number>, options: SceneOptions) {
    // Before the directory is removed.
    t.after(async () => {
      await this.stop();
      for (const one of this.#beside) await interrupt(one);
    });
    this.directory = temporaryDirectory(t);
    this.#ports = ports;
    this.#options = options;
    this.#makeFolders();
  }

  static async begin(t: TestContext, options: SceneOptions = {}): Promise<Scene> {
    const ports = new Map<Port, number>();
    for (const port of PORTS) ports.set(port, await freePort());
    return new Scene(t, ports, options);
  }

  port(port: Port): number {
    return this.#ports.get(port) ?? assert.fail(port);
  }

  /** Everything that the gateway of the last `serves` step has printed. */
  get served(): string {
    return this.#served?.out() ?? '';
  }

  /** Runs the steps in order. @throws AssertionError if one does something else than the table says */
  async play(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#run(step);
  }

  /** Ends the gateway as Ctrl-C does. */
  async stop(): Promise<void> {
    const served = this.#served;
    this.#served = undefined;
    if (served !== undefined) await interrupt(served);
  }

  #makeFolders(): void {
    const at = (...path: string[]) => join(this.directory, ...path);
    for (const folder of [
      'bin',
      'home',
      'checkout',
      'folder/node_modules/.bin',
      'home/.config/fish/completions',
    ])
      mkdirSync(at(folder), { recursive: true });
    for (const name of readdirSync(ROOT))
      if (!['data', '.env', '.cache'].includes(name)) symlinkSync(join(ROOT, name), at('checkout', name));
    for (const [name, file] of Object.entries({ sluice: 'src/main.js', 'sluice-load': 'load/main.js' }))
      for (const folder of ['bin', 'folder/node_modules/.bin']) {
        const text = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'dist', file)}' "$@"\n`;
        writeFileSync(at(folder, name), text, { mode: 0o755 });
      }
    writeFileSync(at('folder/package.json'), '{"private":true}\n');
  }

  get #env(): NodeJS.ProcessEnv {
    const { PATH = '', ...env } = userEnvironment();
    return {
      ...env,
      PATH: `${join(this.directory, 'bin')}:${PATH}:/usr/sbin:/sbin`,
      HOME: join(this.directory, 'home'),
      // npm keeps its cache in HOME otherwise, and asks the registry for a newer npm.
      npm_config_cache: process.env.npm_config_cache ?? join(process.env.HOME ?? '/tmp', '.npm'),
      TCP_PORT: String(this.port('8080')),
      HTTP_PORT: String(this.port('9108')),
      TCP_PROCESSES: '1',
      ...this.#options.env,
    };
  }

  /** The command with the ports of this scene. */
  text({ command, instead = {} }: Pick<Step, 'command' | 'instead'>): string {
    let text = command.endsWith(' …') ? wholeCommand(command) : command;
    for (const [from, to] of Object.entries({ ...this.#options.instead, ...instead }))
      text = text.replaceAll(from, () => to);
    text = text.replaceAll('sluice_...', () => this.#token);
    return text.replace(PORT_IN_TEXT, (port) => String(this.#ports.get(port as Port)));
  }

  async #run(step: Step): Promise<void> {
    if (step.serves !== undefined) await this.stop();
    const own = this.text(step);
    const text = step.isSql ? `psql "$DATABASE_URL" <<'SQL'\n${own};\nSQL` : own;
    const running = this.#start(step, text);
    const fail = (why: string) => `${step.command}\n(run as: ${text})\n${why}\n${running.out().slice(-4000)}`;
    const matched = async (pattern: RegExp) => {
      let hasEnded = false;
      void running.ended.then(() => {
        hasEnded = true;
      });
      await waitFor(
        fail(`waits for ${pattern}`),
        () => {
          if (pattern.test(running.out())) return true;
          if (hasEnded) assert.fail(fail(`ended without ${pattern}`));
          return false;
        },
        STEP_TIMEOUT_MS,
      );
    };
    if (step.serves !== undefined) {
      this.#served = running;
      await matched(step.serves);
      return;
    }
    if (step.listens !== undefined) {
      this.#beside.push(running);
      const port = this.port(step.listens);
      await waitFor(fail(`listens on ${port}`), async () => !(await isFree(port)));
      return;
    }
    if (step.until !== undefined) {
      await matched(step.until);
      await interrupt(running);
    }
    const timer = setTimeout(() => kill(running.child, 'SIGKILL'), STEP_TIMEOUT_MS);
    const code = await running.ended;
    clearTimeout(timer);
    if (step.until === undefined || step.exit !== undefined)
      assert.equal(code, step.exit ?? 0, fail(`exit code ${code} and not ${step.exit ?? 0}`));
    if (step.shows !== undefined)
      assert.match(running.out(), step.shows, fail(`does not show ${step.shows}`));
    if (step.keeps) this.#kept.push(text);
    if (step.token !== undefined)
      this.#token = step.token.exec(running.out())?.[1] ?? assert.fail(fail('has no token'));
  }

  #start(step: Step, text: string): Running {
    const { input, serves } = step;
    const child = spawn('bash', ['-c', [...this.#kept, text].join('\n')], {
      cwd: join(this.directory, step.in ?? 'folder'),
      env: this.#env,
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own, so that Ctrl-C can reach the shell and all that it started.
      detached: true,
    });
    // Otherwise a gateway would outlive a test that is killed.
    const goesOn = serves !== undefined || step.listens !== undefined;
    if (goesOn) child.once('exit', onParentDeath(['kill', '-9', `-${child.pid}`]));
    let out = '';
    const log = join(this.directory, 'folder', 'sluice.log');
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (part: string) => {
        out += part;
        if (serves !== undefined && stream === child.stdout) appendFileSync(log, part);
      });
    // A command that ends before it has read everything breaks the pipe.
    child.stdin.on('error', () => {});
    if (input !== undefined) child.stdin.write(this.text({ command: input }));
    if (step.until === undefined || input === undefined) child.stdin.end();
    return { child, out: () => out, ended: once(child, 'close').then(([code]) => code as number | null) };
  }
}

function kill({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

/** Ctrl-C, which reaches the whole group of processes. */
async function interrupt(running: Running): Promise<void> {
  kill(running.child, 'SIGINT');
  const timer = setTimeout(() => kill(running.child, 'SIGKILL'), STOP_TIMEOUT_MS);
  await running.ended;
  clearTimeout(timer);
}
