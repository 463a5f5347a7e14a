// node:child_process in a world: fork() starts a simulated process, which runs the program of its parent.
import { EventEmitter } from 'node:events';
import { IpcPipe } from '../world/ipc.ts';
import type { SimProcess } from '../world/sim-process.ts';
import { world } from '../world/world.ts';

/** From fork() to the first line of the program. Measured: Node and the gateway need 250 ms on a 2-core VM. */
const START_MS = 250;
/** From the end of a process to SIGCHLD in its parent, which libuv handles behind the messages of the same turn. */
const EXIT_MS = { from: 0.02, to: 0.6 };

interface ForkOptions {
  readonly stdio?: readonly unknown[];
}

/** As much of Node's class as the gateway uses: events `message`, `exit`, `disconnect`. */
export class ChildProcess extends EventEmitter {
  readonly pid: number;
  killed = false;
  readonly #child: SimProcess;
  readonly #toChild: IpcPipe;

  constructor(path: string, args: readonly string[], stdio: readonly unknown[]) {
    super();
    const here = world();
    const parent = here.current;
    const own = here.processObject(parent);
    const { onOutput, program } = own?.given ?? {};
    if (own === undefined || program === undefined)
      throw new Error(`${parent.name} has no program that it could fork`);
    const child = here.startProcess(`${parent.name}/${here.nextChildNumber()}`, {
      parentPid: parent.pid,
      argv: ['node', path, ...args],
      onOutput: onOutput ?? (() => {}),
      program,
    });
    own.children.push(child);
    this.pid = child.pid;
    this.#child = child;
    here.network.inherit(parent, child, stdio);
    this.#toChild = new IpcPipe(parent, child, (event, ...args) => object?.emit(event, ...args));
    const toParent = new IpcPipe(child, parent, (event, ...args) => this.emit(event, ...args));
    const object = here.processObject(child);
    if (object !== undefined) object.channel = toParent;
    this.#toChild.hold();
    here.after(
      START_MS * (0.8 + 0.4 * here.random('starts of processes').next()),
      () => {
        program(args);
        this.#toChild.flow();
      },
      child,
    );
    child.onDeath(({ code, signal }) => {
      const { from, to } = EXIT_MS;
      const delayMs = from + (to - from) * here.random('exits of processes').next();
      const atMs = Math.max(here.nowMs + delayMs, toParent.lastAtMs);
      here.at(atMs, () => this.emit('exit', code, signal), parent);
    });
  }

  get connected(): boolean {
    return this.#toChild.connected;
  }

  send(message: unknown, done?: (error: Error | null) => void): boolean {
    return this.#toChild.send(message, done);
  }

  /** False if it has ended. */
  kill(signal: string = 'SIGTERM'): boolean {
    if (!this.#child.alive) return false;
    this.killed = true;
    return world().signal(this.pid, signal);
  }
}

/** @throws Error if the process that runs has no program */
export function fork(
  path: string,
  args: readonly string[] = [],
  { stdio = [] }: ForkOptions = {},
): ChildProcess {
  return new ChildProcess(path, args, stdio);
}

export function spawn(command: string): never {
  throw new Error(`not simulated: spawn('${command}')`);
}
