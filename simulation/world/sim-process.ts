// One simulated operating system process: its number, whether it runs, and how it ended. All timers, sockets and
// descriptors belong to one, and no callback of a dead one ever runs (world.ts). It knows nothing of their kinds.
import type { Random } from './random.ts';

/** How a process ended: with an exit code, or by a signal. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: 'SIGKILL' | null;
}

/** Thrown by process.exit(), which never returns. Nothing but the world may catch it. */
export class ProcessExit extends Error {
  override readonly name = 'ProcessExit';
}

/** The end of a process that somebody still waited for. */
export class ProcessGone extends Error {
  override readonly name = 'ProcessGone';
}

export interface ProcessHost {
  /** The process runs again: plays what it was owed. */
  thawed(process: SimProcess): void;
  note(words: string): void;
}

export interface ProcessStart {
  readonly pid: number;
  readonly name: string;
  /** Milliseconds since the world began. */
  readonly startedAtMs: number;
  readonly random: Random;
}

export class SimProcess {
  readonly pid: number;
  readonly name: string;
  /** Milliseconds since the world began, 0 in performance.now() of the process. */
  readonly startedAtMs: number;
  /** Its Math.random(). */
  readonly random: Random;
  /** Until then its one thread is busy with an event. */
  busyUntilMs = 0;
  /** The error that nobody caught, if it died of one. */
  crash: unknown;
  readonly #host: ProcessHost;
  readonly #onDeath = new Set<(end: ProcessEnd) => void>();
  #end: ProcessEnd | undefined;
  #isFrozen = false;

  constructor({ pid, name, startedAtMs, random }: ProcessStart, host: ProcessHost) {
    this.pid = pid;
    this.name = name;
    this.startedAtMs = startedAtMs;
    this.random = random;
    this.#host = host;
  }

  get alive(): boolean {
    return this.#end === undefined;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** Undefined while it lives. */
  get end(): ProcessEnd | undefined {
    return this.#end;
  }

  /** Calls back at its death, at once and as the one who killed it. @returns forgets the callback */
  onDeath(callback: (end: ProcessEnd) => void): () => void {
    this.#onDeath.add(callback);
    return () => void this.#onDeath.delete(callback);
  }

  /** As kill -9: nothing of it runs any more. A second call does nothing. */
  kill(): void {
    this.#die({ code: null, signal: 'SIGKILL' });
  }

  /** As the end of the system call exit(). */
  exited(code: number): void {
    this.#die({ code, signal: null });
  }

  /** As SIGSTOP. */
  freeze(): void {
    if (!this.alive || this.#isFrozen) return;
    this.#host.note(`${this.name} is stopped (SIGSTOP)`);
    this.#isFrozen = true;
  }

  /** As SIGCONT. */
  thaw(): void {
    if (!this.#isFrozen || !this.alive) return;
    this.#host.note(`${this.name} goes on (SIGCONT)`);
    this.#isFrozen = false;
    this.#host.thawed(this);
  }

  #die(end: ProcessEnd): void {
    if (this.#end !== undefined) return;
    this.#host.note(
      end.signal === null
        ? `${this.name} ends with code ${end.code}`
        : `${this.name} is killed (${end.signal})`,
    );
    this.#end = end;
    for (const callback of [...this.#onDeath]) callback(end);
    this.#onDeath.clear();
  }
}
