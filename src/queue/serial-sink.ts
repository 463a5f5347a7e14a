// One message at a time (TCP_USE_WORKER_POOL=false): no queue and no workers. Each connection hands over one message and
// waits until it is handled. Kept for comparison with the worker pool.
import type { Job, JobSink, JobSinkStats, JobSource } from './job.ts';

export class SerialSink implements JobSink {
  readonly #handle: (job: Job) => Promise<void>;
  readonly #capacity: number;
  readonly #busy = new Map<JobSource, { waits: boolean }>();
  #bytes = 0;
  #idleWaiters: (() => void)[] = [];

  /** @param capacity for the statistics: with one job for each connection, the cap of connections */
  constructor(handle: (job: Job) => Promise<void>, capacity: number) {
    this.#handle = handle;
    this.#capacity = capacity;
  }

  get stats(): JobSinkStats {
    return { depth: this.#busy.size, capacity: this.#capacity, bytes: this.#bytes, capacityBytes: Infinity };
  }

  offer(job: Job): boolean {
    if (this.#busy.has(job.session)) return false;
    this.#busy.set(job.session, { waits: false });
    this.#bytes += job.end - job.start;
    void this.#run(job);
    return true;
  }

  awaitRoom(source: JobSource): void {
    const state = this.#busy.get(source);
    if (state === undefined) queueMicrotask(() => source.onRoom());
    else state.waits = true;
  }

  forget(source: JobSource): void {
    const state = this.#busy.get(source);
    if (state !== undefined) state.waits = false;
  }

  /** Resolves when no message is being handled. */
  idle(): Promise<void> {
    if (this.#busy.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
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
