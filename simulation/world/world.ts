// A simulated world: one clock, one queue of events, and the processes whose code they run. It plays one event after the
// other, each with all of its microtasks, so the same seed always gives the same history. Nothing in it waits for the real
// machine: whatever does I/O is simulated above the event queue (network, disk, brokers).
//
// A process has one thread. An event costs it CPU time, during which its other events wait. `outside` has a thread for each
// of its events: it stands for many machines.
import { EventQueue } from './event-queue.ts';
import { type Globals, installGlobals } from './globals.ts';
import { ProcessObject, type ProcessWorld, type UncaughtEvent } from './process-object.ts';
import { Random } from './random.ts';
import { ProcessExit, ProcessGone, SimProcess } from './sim-process.ts';
import { Trace } from './trace.ts';

export interface WorldOptions {
  /** Gets each line of the trace. */
  readonly onTrace?: (line: string) => void;
}

/** Why play() has ended: as asked, because its time is over, or because nothing is left to happen. */
export type PlayEnd = 'done' | 'time' | 'idle';

export interface PlayUntil {
  /** Milliseconds from now. */
  readonly ms?: number;
  /** Asked after each event. */
  readonly done?: () => boolean;
  /** Called after each event. What it throws ends play(). */
  readonly onTurn?: () => void;
}

export interface Cancel {
  cancel(): void;
}

interface SimEvent {
  atMs: number;
  readonly number: number;
  readonly owner: SimProcess;
  /** Undefined once it is cancelled. */
  work: (() => void) | undefined;
}

/** What code costs, in simulated milliseconds. A slow machine has larger numbers. */
export interface CpuCosts {
  /** Of an event: without it, a loop over setImmediate would hold the clock for ever. */
  eventMs: number;
  /** Of a look at the clock, so that code with a budget of time comes to its end. */
  lookMs: number;
}

const FIRST_PID = 1000;
/** 2026-01-01. Each seed begins at another time of that year. */
const FIRST_WALL_MS = 1_767_225_600_000;
const YEAR_MS = 365 * 86_400_000;

let playing: World | undefined;

/** The world that there is. @throws Error if there is none */
export function world(): World {
  if (playing === undefined) throw new Error('no world is there: this code runs in a simulation only');
  return playing;
}

export function hasWorld(): boolean {
  return playing !== undefined;
}

export class World {
  readonly seed: number;
  /** Devices, brokers, the judge. It never dies, and its events cost no time. */
  readonly outside: SimProcess;
  readonly cpu: CpuCosts = { eventMs: 0.002, lookMs: 0.0002 };
  readonly #trace: Trace;
  readonly #queue = new EventQueue<SimEvent>();
  readonly #randoms = new Map<string, Random>();
  readonly #globals: Globals;
  readonly #objects = new Map<SimProcess, ProcessObject>();
  /** What frozen processes are owed. */
  readonly #held = new Map<SimProcess, SimEvent[]>();
  #current: SimProcess;
  /** When the event that is played began, and the CPU time that it has used so far. */
  #beganMs = 0;
  #usedMs = 0;
  /** From the clock of the world to the wall clock of the gateway's machine, and to that of the others. */
  #wallMs: number;
  readonly #outsideWallMs: number;
  #numbers = 0;
  #pids = FIRST_PID;
  #children = 0;
  #isPlaying = false;
  #failure: { readonly error: unknown } | undefined;

  /** @throws Error if there is another world: only one at a time can have the globals */
  constructor(seed: number, { onTrace }: WorldOptions = {}) {
    if (playing !== undefined) throw new Error('another world has not ended');
    this.seed = seed;
    this.#trace = new Trace(onTrace);
    this.outside = this.#process('outside');
    this.#current = this.outside;
    this.#outsideWallMs = FIRST_WALL_MS + Math.floor(this.random('wall clock').next() * YEAR_MS);
    this.#wallMs = this.#outsideWallMs;
    this.#globals = installGlobals(this);
    playing = this;
  }

  /** Gives the globals back. Nothing of the world runs any more. */
  end(): void {
    if (playing !== this) return;
    this.#globals.restore();
    playing = undefined;
  }

  /** Milliseconds since the world began. */
  get nowMs(): number {
    return this.#beganMs + this.#usedMs;
  }

  /** When the event that is played began: the time of Node's event loop, by which it starts timers. */
  get loopMs(): number {
    return this.#beganMs;
  }

  /** Date.now() of the code that runs. */
  get wallMs(): number {
    return Math.floor(this.nowMs + (this.#current === this.outside ? this.#outsideWallMs : this.#wallMs));
  }

  /** The wall clock of the gateway's machine jumps; those of devices and brokers stay right. */
  setWallClock(ms: number): void {
    this.#wallMs = ms - this.nowMs;
    this.note(`the wall clock of the gateway jumps to ${Math.floor(ms)}`);
  }

  /** The time, which moves a little each time that code looks at it. */
  look(): number {
    if (this.#current !== this.outside) this.#usedMs += this.cpu.lookMs;
    return this.nowMs;
  }

  /** The code that runs needs CPU time, or sleeps without letting go of its thread. */
  spend(ms: number): void {
    if (this.#current !== this.outside) this.#usedMs += Math.max(0, ms);
  }

  /** The stream of this name. */
  random(name: string): Random {
    let random = this.#randoms.get(name);
    if (random === undefined) {
      random = new Random(this.seed, name);
      this.#randoms.set(name, random);
    }
    return random;
  }

  /** Adds a line to the trace. */
  note(words: string): void {
    this.#trace.line(`${(this.nowMs / 1000).toFixed(6)} ${this.#current.name}: ${words}`);
  }

  get traceHash(): string {
    return this.#trace.hash;
  }

  /** The last lines of the trace. */
  get traceLines(): readonly string[] {
    return this.#trace.lines;
  }

  /** Whose code runs now. */
  get current(): SimProcess {
    return this.#current;
  }

  startProcess(name: string, given: Partial<ProcessWorld> = {}): SimProcess {
    const started = this.#process(name);
    const ordinary: ProcessWorld = { parentPid: 1, argv: ['node', 'sluice'], onOutput: () => {} };
    this.#objects.set(started, new ProcessObject(this, started, { ...ordinary, ...given }));
    this.note(`${name} starts as process ${started.pid}`);
    return started;
  }

  /**
   * Runs `work` later as `owner` (default: the process whose code runs now): never if the owner has died, later if it is
   * busy or frozen.
   */
  after(delayMs: number, work: () => void, owner: SimProcess = this.#current): Cancel {
    return this.at(this.nowMs + Math.max(0, delayMs), work, owner);
  }

  /** As after(), at a time of the world; at once if that has passed. */
  at(atMs: number, work: () => void, owner: SimProcess = this.#current): Cancel {
    const event: SimEvent = { atMs: Math.max(atMs, this.nowMs), number: ++this.#numbers, owner, work };
    if (owner.alive) this.#queue.push(event);
    return {
      cancel: () => {
        event.work = undefined;
      },
    };
  }

  /**
   * Runs `work` as `owner` in an event of its own. The promise settles in an event of the caller, so the code behind its
   * `await` runs as the caller again. Rejects with ProcessGone if the owner dies before.
   */
  as<T>(owner: SimProcess, work: () => T | Promise<T>): Promise<T> {
    const caller = this.#current;
    return new Promise((resolve, reject) => {
      const forget = owner.onDeath(() =>
        this.after(0, () => reject(new ProcessGone(`${owner.name} has ended`)), caller),
      );
      const settle = (settled: () => void) => {
        forget();
        this.after(0, settled, caller);
      };
      if (!owner.alive) settle(() => reject(new ProcessGone(`${owner.name} has ended`)));
      const run = async () => work();
      this.after(
        0,
        () =>
          void run().then(
            (value) => settle(() => resolve(value)),
            (error: unknown) => settle(() => reject(error)),
          ),
        owner,
      );
    });
  }

  /** Plays events, one after the other. Rejects with what code of `outside` has thrown. */
  async play({ ms = Number.POSITIVE_INFINITY, done, onTurn }: PlayUntil): Promise<PlayEnd> {
    if (this.#isPlaying) throw new Error('the world plays already');
    const endMs = this.nowMs + ms;
    this.#isPlaying = true;
    try {
      return await new Promise<PlayEnd>((resolve, reject) => {
        const turn = () => {
          try {
            for (;;) {
              this.#throwFailure();
              if (done?.()) return resolve('done');
              const end = this.#next(endMs);
              if (end !== undefined) return resolve(end);
              // All promises and process.nextTick() have run when Node comes to the next immediate.
              this.#globals.real.setImmediate(afterEvent);
              return;
            }
          } catch (error) {
            reject(error);
          }
        };
        const afterEvent = () => {
          try {
            this.#endEvent();
            onTurn?.();
          } catch (error) {
            return reject(error);
          }
          turn();
        };
        turn();
      });
    } finally {
      this.#isPlaying = false;
    }
  }

  /** An error that nobody caught, in the code that runs now. */
  failed(error: unknown, event: UncaughtEvent = 'uncaughtException'): void {
    if (error instanceof ProcessExit) return;
    const owner = this.#current;
    const object = this.processObject(owner);
    if (object === undefined) this.#failure ??= { error };
    else if (owner.alive) object.uncaught(error, event);
  }

  /** 1 for the first child of any process in this world. */
  nextChildNumber(): number {
    return ++this.#children;
  }

  /** Its `process`. Undefined for `outside`, which has that of Node. */
  processObject(process: SimProcess): ProcessObject | undefined {
    return this.#objects.get(process);
  }

  /** As the system call kill(): the signal arrives later. @throws the system's error ESRCH */
  signal(pid: number, signal: string | number): true {
    const target = [...this.#objects.keys()].find((process) => process.pid === pid && process.alive);
    if (target === undefined)
      throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH', errno: -3, syscall: 'kill' });
    if (signal === 'SIGKILL') target.kill();
    else if (signal !== 0) this.after(0, () => this.processObject(target)?.signal(String(signal)), target);
    return true;
  }

  /** Runs `work` at once as `owner`, for code that only looks, such as a snapshot. */
  inside<T>(owner: SimProcess, work: () => T): T {
    const caller = this.#current;
    this.#current = owner;
    try {
      return work();
    } finally {
      this.#current = caller;
    }
  }

  /** Begins the next event. Undefined if one was begun. */
  #next(endMs: number): PlayEnd | undefined {
    for (;;) {
      const event = this.#queue.first;
      if (event === undefined) return 'idle';
      if (event.atMs > endMs) {
        this.#beganMs = endMs;
        return 'time';
      }
      this.#queue.pop();
      const { owner, work } = event;
      if (work === undefined || !owner.alive) continue;
      if (owner.isFrozen) this.#hold(event);
      else if (owner.busyUntilMs > event.atMs) {
        event.atMs = owner.busyUntilMs;
        this.#queue.push(event);
      } else {
        this.#run(event, work);
        return undefined;
      }
    }
  }

  #run({ owner, atMs }: SimEvent, work: () => void): void {
    this.#trace.event(atMs, owner.pid);
    this.#beganMs = atMs;
    this.#usedMs = owner === this.outside ? 0 : this.cpu.eventMs;
    this.#current = owner;
    try {
      work();
    } catch (error) {
      this.failed(error);
    }
  }

  #endEvent(): void {
    this.#current.busyUntilMs = this.nowMs;
    // The clock of the world is that of its events: other processes go on while this one was busy.
    this.#usedMs = 0;
    this.#current = this.outside;
  }

  #throwFailure(): void {
    if (this.#failure === undefined) return;
    const { error } = this.#failure;
    this.#failure = undefined;
    throw error;
  }

  #hold(event: SimEvent): void {
    const held = this.#held.get(event.owner);
    if (held === undefined) this.#held.set(event.owner, [event]);
    else held.push(event);
  }

  #process(name: string): SimProcess {
    const pid = this.#pids++;
    const start = { pid, name, startedAtMs: this.nowMs, random: this.random(`process ${pid}`) };
    return new SimProcess(start, {
      thawed: (process) => {
        const held = this.#held.get(process) ?? [];
        this.#held.delete(process);
        for (const event of held) {
          event.atMs = this.nowMs;
          this.#queue.push(event);
        }
      },
      note: (words) => this.note(words),
    });
  }
}
