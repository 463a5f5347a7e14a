// One message at a time (TCP_USE_WORKER_POOL=false): no queue and no workers. Each connection hands over one message and
// waits until it is handled. Kept for comparison with the worker pool.
import type { Job, JobSink, JobSinkStats, Session } from './job.ts';
import { TurnBudget } from './turn-budget.ts';

export interface SerialSinkOptions {
  /** For the statistics: with one job for each connection, the cap of connections. */
  readonly capacity: number;
  readonly budget?: TurnBudget;
}

export class SerialSink implements JobSink {
  readonly #handle: (job: Job) => Promise<void>;
  readonly #capacity: number;
  readonly #budget: TurnBudget;
  readonly #busy = new Map<Session, { waits: boolean }>();
  /** Jobs that begin in a later turn of the event loop, in their order. */
  readonly #postponed: Job[] = [];
  #bytes = 0;
  #idleWaiters: (() => void)[] = [];

  constructor(
    handle: (job: Job) => Promise<void>,
    { capacity, budget = new TurnBudget() }: SerialSinkOptions,
  ) {
    this.#handle = handle;
    this.#capacity = capacity;
    this.#budget = budget;
  }

  get stats(): JobSinkStats {
    return { depth: this.#busy.size, capacity: this.#capacity, bytes: this.#bytes, capacityBytes: Infinity };
  }

  offer(job: Job): boolean {
    if (this.#busy.has(job.session)) return false;
    this.#busy.set(job.session, { waits: false });
    this.#bytes += job.end - job.start;
    if (this.#postponed.length === 0 && !this.#budget.usedUp) void this.#run(job);
    else if (this.#postponed.push(job) === 1) this.#budget.nextTurn(() => this.#goOn());
    return true;
  }

  awaitRoom(session: Session): void {
    const state = this.#busy.get(session);
    if (state === undefined) queueMicrotask(() => session.onRoom());
    else state.waits = true;
  }

  forget(session: Session): void {
    const state = this.#busy.get(session);
    if (state !== undefined) state.waits = false;
  }

  /** Resolves when no message is being handled. */
  idle(): Promise<void> {
    if (this.#busy.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  #goOn(): void {
    let begun = 0;
    while (begun < this.#postponed.length && !this.#budget.usedUp) {
      const job = this.#postponed[begun++];
      if (job !== undefined) void this.#run(job);
    }
    this.#postponed.splice(0, begun);
    if (this.#postponed.length > 0) this.#budget.nextTurn(() => this.#goOn());
  }

  async #run(job: Job): Promise<void> {
    await this.#handle(job);
    this.#bytes -= job.end - job.start;
    const waits = this.#busy.get(job.session)?.waits ?? false;
    this.#busy.delete(job.session);
    if (waits) job.session.onRoom();
    if (this.#busy.size === 0) for (const wake of this.#idleWaiters.splice(0)) wake();
  }
}
