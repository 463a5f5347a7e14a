// The object `process` of a simulated process: its pid, its signals, its end, its channel to its parent. Everything that
// does not differ between processes is that of Node. Memory and CPU time are constants, because real ones would differ
// from run to run.
import { EventEmitter } from 'node:events';
import { ProcessExit, type SimProcess } from './sim-process.ts';
import type { World } from './world.ts';

/** What its parent or its starter gives to a process. */
export interface ProcessWorld {
  readonly parentPid: number;
  readonly argv: readonly string[];
  /** Gets all that is written to standard output and standard error. */
  readonly onOutput: (text: string) => void;
  /** What its children run, with the arguments of fork(). Undefined if it has none. */
  readonly program?: ((args: readonly string[]) => void) | undefined;
}

/** A process that another one has forked. */
export interface Channel {
  readonly connected: boolean;
  send(message: unknown, done?: (error: Error | null) => void): boolean;
  disconnect(): void;
}

export type UncaughtEvent = 'uncaughtException' | 'unhandledRejection';

/** Bytes of memory that a process claims to use. */
const MEMORY = { rss: 80e6, heapTotal: 40e6, heapUsed: 30e6, external: 2e6, arrayBuffers: 1e6 };
const AVAILABLE_BYTES = 2 ** 32;

/** Node's own: the global is that of a simulated process while one runs. */
const real = globalThis.process;

export class ProcessObject {
  /** As the global `process`. */
  readonly facade: NodeJS.Process;
  readonly given: ProcessWorld;
  /** All that it ever forked. */
  readonly children: SimProcess[] = [];
  readonly #world: World;
  readonly #process: SimProcess;
  readonly #events = new EventEmitter();
  channel: Channel | undefined;

  constructor(world: World, sim: SimProcess, given: ProcessWorld) {
    this.#world = world;
    this.#process = sim;
    this.given = given;
    this.#events.setMaxListeners(0);
    this.facade = this.#facade(given);
  }

  /** True if somebody listened. */
  emit(event: string, ...args: unknown[]): boolean {
    return this.#events.emit(event, ...args);
  }

  /** As a signal that arrives: without a listener it ends the process. */
  signal(name: string): void {
    if (name === 'SIGKILL' || !this.emit(name, name)) this.#process.kill();
  }

  /** An error that nobody caught. It ends the process. */
  uncaught(error: unknown, event: UncaughtEvent): void {
    this.#process.crash = error;
    this.#world.note(`${event}: ${error instanceof Error ? error.message : String(error)}`);
    try {
      this.emit(event, error, event);
      this.#process.exited(1);
    } catch (thrown) {
      // A second failure, as in Node. process.exit() has ended the process already.
      if (!(thrown instanceof ProcessExit)) this.#process.exited(7);
    }
  }

  #facade({ parentPid, argv, onOutput }: ProcessWorld): NodeJS.Process {
    const events = this.#events;
    const world = this.#world;
    const sim = this.#process;
    const channel = () => this.channel;
    const send = (message: unknown, rest: readonly unknown[]) => this.#send(message, rest);
    const hrtime = (since?: [number, number]): [number, number] => {
      const nanoseconds = BigInt(Math.round(world.look() * 1e6)) - (since ? toNanoseconds(since) : 0n);
      return [Number(nanoseconds / 1_000_000_000n), Number(nanoseconds % 1_000_000_000n)];
    };
    const own = {
      pid: sim.pid,
      ppid: parentPid,
      argv: [...argv],
      env: {},
      exitCode: undefined,
      stdout: output(onOutput),
      stderr: output(onOutput),
      get connected() {
        return channel()?.connected === true;
      },
      get send() {
        return channel() && ((message: unknown, ...rest: unknown[]) => send(message, rest));
      },
      disconnect: () => channel()?.disconnect(),
      exit: (code = 0) => this.#exit(Number(code)),
      abort: () => sim.kill(),
      kill: (pid: number, signal: string | number = 'SIGTERM') => world.signal(pid, signal),
      hrtime: Object.assign(hrtime, { bigint: () => BigInt(Math.round(world.look() * 1e6)) }),
      uptime: () => (world.look() - sim.startedAtMs) / 1000,
      memoryUsage: Object.assign(() => ({ ...MEMORY }), { rss: () => MEMORY.rss }),
      constrainedMemory: () => 0,
      availableMemory: () => AVAILABLE_BYTES,
      cpuUsage: () => ({ user: 0, system: 0 }),
    };
    const emitting = Object.fromEntries(
      (
        ['on', 'once', 'off', 'addListener', 'removeListener', 'emit', 'listenerCount', 'listeners'] as const
      ).map((name) => [name, (events[name] as (...args: unknown[]) => unknown).bind(events)]),
    );
    const facade = Object.create(real, {
      ...Object.getOwnPropertyDescriptors(own),
      ...Object.getOwnPropertyDescriptors(emitting),
    });
    return facade as NodeJS.Process;
  }

  #send(message: unknown, rest: readonly unknown[]): boolean {
    const done = rest.findLast((given) => typeof given === 'function');
    return this.channel?.send(message, done as (error: Error | null) => void) ?? false;
  }

  #exit(code: number): never {
    if (this.#process.alive) {
      try {
        this.emit('exit', code);
      } finally {
        this.#process.exited(code);
      }
    }
    throw new ProcessExit(`exit(${code})`);
  }
}

function toNanoseconds([seconds, nanoseconds]: [number, number]): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}

/** An output that takes everything at once. */
function output(onOutput: (text: string) => void): object {
  return {
    isTTY: false,
    writable: true,
    writableLength: 0,
    on: () => {},
    once: () => {},
    write: (text: unknown, ...rest: unknown[]) => {
      onOutput(String(text));
      const done = rest.findLast((given) => typeof given === 'function') as (() => void) | undefined;
      if (done !== undefined) real.nextTick(done);
      return true;
    },
  };
}
