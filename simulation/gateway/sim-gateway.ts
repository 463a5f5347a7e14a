// A gateway in a world: the real wiring, settings and log of `sluice serve` in simulated processes, as operators start, stop
// and kill them. Only the admin port and the care for the young generation of V8 are left out. Import it after
// installHooks() only.
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { createApp, type SingleProcessApp } from '../../src/app.ts';
import { reloader } from '../../src/cli/reload.ts';
import { exitOnBugs, serve } from '../../src/cli/serve.ts';
import { EXIT_SETTINGS } from '../../src/config/exit-codes.ts';
import { type Loaded, loadSettings } from '../../src/config/load.ts';
import type { Addresses, App } from '../../src/gateway/lifecycle.ts';
import { createLogger } from '../../src/log/logger.ts';
import { createPrimary } from '../../src/processes/primary.ts';
import { runServerProcess } from '../../src/processes/server-process.ts';
import { serverProcesses } from '../../src/start/server-processes.ts';
import type { ProcessEnd, SimProcess } from '../world/sim-process.ts';
import type { World } from '../world/world.ts';

export type Env = Readonly<Record<string, string>>;

/** A line of the log, as JSON of pino. */
export interface SimLogLine {
  /** Milliseconds since the world began. */
  readonly atMs: number;
  readonly level: string;
  /** The name in the table. */
  readonly event: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** What a simulated gateway differs in from a real one, unless the settings say otherwise. */
const DEFAULTS: Env = {
  HTTP_PORT: '',
  LOG_FORMAT: 'json',
  STATS_INTERVAL: '0',
  SPOOL_DIR: '/spool',
};

/** From the start of the program to its first line. Measured: 250 ms on a 2-core VM. */
const LOAD_MS = 250;
const VERSION = 'simulated';

type Running = App & { snapshot(): Snapshot | Promise<Snapshot> };

export class SimGateway {
  /** The first process, or the only one. */
  readonly first: SimProcess;
  /** All lines so far, of all processes. */
  readonly log: SimLogLine[] = [];
  /** Resolves when devices can connect; rejects if the gateway ends before. */
  readonly ready: Promise<Addresses>;
  /** Resolves when the first process has ended. */
  readonly exited: Promise<ProcessEnd>;
  readonly #world: World;
  readonly #env: Env;
  /** The latest of each number. */
  readonly #servers: SimProcess[] = [];
  #app: Running | undefined;
  #isGroup = false;
  #addresses: Addresses | undefined;
  #tellReady: (addresses: Addresses) => void = () => {};

  /** Starts the program. Wrong settings end it with code 78, as in reality. */
  static start(world: World, env: Env): SimGateway {
    return new SimGateway(world, env);
  }

  private constructor(world: World, env: Env) {
    this.#world = world;
    this.#env = { ...DEFAULTS, ...env };
    this.first = world.startProcess('gateway', {
      onOutput: this.#output(),
      program: () => this.#serverProgram(),
    });
    const outside = world.outside;
    this.exited = new Promise((resolve) => {
      this.first.onDeath((end) => world.after(0, () => resolve(end), outside));
    });
    this.ready = new Promise((resolve, reject) => {
      this.#tellReady = (addresses) => world.after(0, () => resolve(addresses), outside);
      const words = () => `the gateway ended before it was ready: ${this.log.at(-1)?.msg ?? 'no log line'}`;
      this.first.onDeath(() => world.after(0, () => reject(new Error(words())), outside));
    });
    // Who does not wait for it may look at `exited` alone.
    this.ready.catch(() => {});
    world.after(LOAD_MS, () => this.#serve(), this.first);
  }

  /** Whether it has server processes. Known once its settings are read. */
  get isGroup(): boolean {
    return this.#isGroup;
  }

  /** Undefined before it is ready. */
  get addresses(): Addresses | undefined {
    return this.#addresses;
  }

  /** Null while it runs, or if a signal ended it. */
  get exitCode(): number | null {
    return this.first.end?.code ?? null;
  }

  /** All of its processes that live, the first one first. */
  get processes(): readonly SimProcess[] {
    return this.#all.filter(({ alive }) => alive);
  }

  /** The errors that nobody caught, with the name of the process that died of each. */
  get crashes(): readonly { readonly process: string; readonly error: unknown }[] {
    return this.#all.flatMap(({ name, crash }) =>
      crash === undefined ? [] : [{ process: name, error: crash }],
    );
  }

  get #all(): readonly SimProcess[] {
    return [this.first, ...(this.#world.processObject(this.first)?.children ?? [])];
  }

  /** SIGTERM to the first process. Resolves when that has ended. */
  stop(): Promise<ProcessEnd> {
    this.signal('SIGTERM');
    return this.exited;
  }

  /** A signal to the first process. Nothing happens if it has ended. */
  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGHUP'): void {
    if (this.first.alive) this.#world.signal(this.first.pid, name);
  }

  /** kill -9 of all processes at the same moment. */
  kill(): void {
    for (const process of this.processes) process.kill();
  }

  /** kill -9 of the first process. The others notice and stop in order. */
  killFirst(): void {
    this.first.kill();
  }

  /** kill -9 of a server process, or of the only one. */
  killProcess(index: number): void {
    this.#server(index)?.kill();
  }

  /** SIGSTOP. The first process kills one that does not answer for 10 s. */
  freezeProcess(index: number): void {
    this.#server(index)?.freeze();
  }

  /** SIGCONT. */
  thawProcess(index: number): void {
    this.#server(index)?.thaw();
  }

  /** As /stats of the admin port. Rejects if the gateway ends, or has not come so far. */
  snapshot(): Promise<Snapshot> {
    return this.#world.as(this.first, () => {
      if (this.#app === undefined) throw new Error('the gateway has not begun to run');
      return this.#app.snapshot();
    });
  }

  /** At once. Undefined with several processes, and before and after the life of the gateway. */
  snapshotNow(): Snapshot | undefined {
    if (!this.first.alive || this.#app === undefined) return undefined;
    if (this.#isGroup) return undefined;
    const app = this.#app as SingleProcessApp;
    return this.#world.inside(this.first, () => app.snapshot());
  }

  async #serve(): Promise<void> {
    const load = (): Loaded => loadSettings({ env: this.#env });
    const loaded = load();
    if (!loaded.ok) {
      const atMs = this.#world.nowMs;
      this.log.push({ atMs, level: 'error', event: 'settings_refused', msg: loaded.problems.join('\n') });
      process.exit(EXIT_SETTINGS);
    }
    const { settings } = loaded;
    const log = createLogger(settings);
    exitOnBugs(log);
    const processes = serverProcesses(settings, log);
    await serve({
      create: async (askDrain) => {
        const options = { log, version: VERSION, askDrain };
        const app: Running =
          processes === 1
            ? createApp(settings, options)
            : await createPrimary(settings, { ...options, processes });
        this.#app = app;
        this.#isGroup = processes > 1;
        return { ...app, start: () => this.#started(app) };
      },
      reload: reloader({ started: loaded, load, log }),
      parent: undefined,
      log,
    });
  }

  async #started(app: Running): Promise<Addresses> {
    const addresses = await app.start();
    this.#addresses = addresses;
    this.#world.note(`devices can connect to port ${addresses.tcp?.port ?? addresses.tls?.port}`);
    this.#tellReady(addresses);
    return addresses;
  }

  /** What a forked process runs, as that process. */
  #serverProgram(): void {
    const own = this.#world.current;
    process.on('message', (order: { type: string; index: number }) => {
      if (order.type === 'start') this.#servers[order.index] = own;
    });
    runServerProcess({ version: VERSION, withLogger: exitOnBugs });
  }

  #server(index: number): SimProcess | undefined {
    return this.#servers[index] ?? (this.#servers.length === 0 ? this.first : undefined);
  }

  #output(): (text: string) => void {
    return (text) => {
      for (const line of text.split('\n')) {
        if (line === '') continue;
        const fields = line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : { msg: line };
        // Of the real machine.
        const { pid: _pid, hostname: _hostname, time: _time, ...own } = fields;
        const told = { level: 'info', event: '', msg: '', ...own, atMs: this.#world.nowMs };
        this.log.push(told);
        this.#world.note(`log ${told.level}: ${told.msg}`);
      }
    };
  }
}
