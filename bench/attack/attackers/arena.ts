// The arena of an attacker, in its own process: sockets to the target, a clock that ends the attack, and the counts of how
// connections ended.
import { setImmediate as turn } from 'node:timers/promises';
import type { Target } from '../../../load/plan.ts';
import { Tally } from '../../../load/report/counters.ts';
import type { AttackerReport } from '../evidence.ts';
import { HostileSocket, type HostileSocketOptions } from './hostile-socket.ts';

export interface ArenaOptions {
  /** The device port of the gateway or of the sink. With `tls`, attackers speak TLS unless they choose not to. */
  readonly target: Target;
  /** The gateway's admin port. */
  readonly adminPort: number;
  /** The gateway's processes, the first one first. */
  readonly pids: readonly number[];
  readonly seconds: number;
  /** The number of this process of attackers, from 0. */
  readonly process: number;
  readonly processes: number;
}

/** Begins to send on a new connection. */
export type Behaviour = (socket: HostileSocket, index: number) => void;

const REOPEN_MS = 50;
/** The longest delay that setTimeout takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Writes of one connection before the others get a turn. */
const WRITES_AT_ONCE = 4;
const LOWEST_ZIPCODE = 20_000;
const ZIPCODES = 1_000;

export class Arena {
  readonly options: ArenaOptions;
  readonly signal: AbortSignal;
  readonly #end = new AbortController();
  readonly #sockets = new Set<HostileSocket>();
  /** Ends the rests. Thousands of them as listeners of the signal would cost too much. */
  readonly #resting = new Set<() => void>();
  readonly #ended = new Tally();
  readonly #notes: Record<string, number> = {};
  #connected = 0;
  #sentBytes = 0;

  constructor(options: ArenaOptions) {
    this.options = options;
    this.signal = this.#end.signal;
    setTimeout(() => this.#finish(), options.seconds * 1000);
  }

  /** This process's part of `count`, which all processes share. */
  share(count: number): number {
    const { process, processes } = this.options;
    return Math.floor((count * (process + 1)) / processes) - Math.floor((count * process) / processes);
  }

  open(options: Partial<HostileSocketOptions> = {}): HostileSocket {
    const socket = new HostileSocket(
      { ...this.options.target, localAddress: undefined, reads: true, ...options },
      {
        connected: () => this.#connected++,
        sent: (bytes) => {
          this.#sentBytes += bytes;
        },
        ended: (how) => {
          this.#sockets.delete(socket);
          if (!this.signal.aborted) this.#ended.add(how);
        },
      },
    );
    this.#sockets.add(socket);
    return socket;
  }

  /** Keeps `count` connections open until the end: one that is closed is soon opened again. */
  keep(count: number, behaviour: Behaviour, options: Partial<HostileSocketOptions> = {}): void {
    for (let index = 0; index < count; index++) this.#keepOne(index, behaviour, options);
  }

  #keepOne(index: number, behaviour: Behaviour, options: Partial<HostileSocketOptions>): void {
    if (this.signal.aborted) return;
    const socket = this.open(options);
    behaviour(socket, index);
    void socket.closed.then(() => setTimeout(() => this.#keepOne(index, behaviour, options), REOPEN_MS));
  }

  /** Writes as fast as the socket takes it, until the connection or the arena ends. */
  async flood(socket: HostileSocket, next: () => Buffer): Promise<void> {
    while (!this.signal.aborted && !socket.isClosed) {
      for (let writes = 0; writes < WRITES_AT_ONCE && !socket.isFull; writes++) socket.write(next());
      await (socket.isFull ? socket.room() : turn());
    }
  }

  /** Calls `work` at fixed times until the arena ends, or until the connection does. */
  async every(ms: number, work: () => void, socket?: HostileSocket): Promise<void> {
    const startMs = performance.now();
    for (let times = 1; !this.signal.aborted && socket?.isClosed !== true; times++) {
      work();
      await this.rest(startMs + times * ms - performance.now());
    }
  }

  /** Waits for `ms`, or until the arena ends. Sockets get a turn in any case. */
  async rest(ms = Number.POSITIVE_INFINITY): Promise<void> {
    if (ms <= 0) {
      await turn();
      return;
    }
    if (this.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#resting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(ms, MAX_TIMER_MS));
      this.#resting.add(wake);
    });
  }

  #finish(): void {
    this.#end.abort();
    for (const wake of this.#resting) wake();
  }

  /** Notes a figure of this attack. The highest value stays. */
  note(name: string, value: number): void {
    this.#notes[name] = Math.max(value, this.#notes[name] ?? value);
  }

  /** Counts something in the notes. */
  add(name: string): void {
    this.#notes[name] = (this.#notes[name] ?? 0) + 1;
  }

  /** A line by which attacker `index` identifies. */
  identify(index: number, deviceId?: string, token?: string): Buffer {
    const zipcode = String(LOWEST_ZIPCODE + (index % ZIPCODES));
    const fields = { type: 'identify', zipcode, city: 'Foeville', device_id: deviceId, token };
    return Buffer.from(`${JSON.stringify(fields)}\n`);
  }

  /** Ends the attack and closes all connections. */
  close(): void {
    this.#finish();
    for (const socket of this.#sockets) socket.destroy();
  }

  get report(): AttackerReport {
    return {
      connected: this.#connected,
      sentBytes: this.#sentBytes,
      ended: this.#ended.all,
      notes: this.#notes,
    };
  }
}
