// The queue between connections and workers: bounded in jobs and in bytes, first in, first out. Sources that found it
// full come in again in their order, so a noisy one cannot keep the others out.
import type { Job, JobSink, JobSinkStats, JobSource } from './job.ts';

export interface JobQueueOptions {
  /** Maximum of waiting jobs (TCP_JOB_QUEUE_SIZE). */
  readonly capacity: number;
  /** Maximum of bytes of the waiting lines. */
  readonly capacityBytes: number;
}

// With so many jobs a worker is woken at once instead of at the end of the turn.
const WAKE_AT_ONCE = 200;
// Sources woken in one turn of the event loop: to resume thousands at once would hold up everything else.
const WAKE_SLICE = 256;

export class JobQueue implements JobSink {
  readonly #options: JobQueueOptions;
  // A ring, because shifting an array costs on the hot path.
  readonly #ring: (Job | undefined)[];
  #head = 0;
  #depth = 0;
  #bytes = 0;
  readonly #sources = new Set<JobSource>();
  #granting = false;
  #grantScheduled: NodeJS.Immediate | undefined;
  readonly #takers: (() => void)[] = [];
  #wakePending = false;
  #wakeScheduled: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(options: JobQueueOptions) {
    this.#options = options;
    this.#ring = new Array<Job | undefined>(options.capacity).fill(undefined);
  }

  get stats(): JobSinkStats {
    const { capacity, capacityBytes } = this.#options;
    return { depth: this.#depth, capacity, bytes: this.#bytes, capacityBytes };
  }

  /** Sources that wait for room. */
  get waitingSources(): number {
    return this.#sources.size;
  }

  offer(job: Job): boolean {
    const bytes = job.end - job.start;
    if (this.#depth === this.#options.capacity) return false;
    // An empty queue takes a line of any size; otherwise one above the limit would wait for ever.
    if (this.#depth > 0 && this.#bytes + bytes > this.#options.capacityBytes) return false;
    // Waiting sources come first: a new one must not take the room that was made for them.
    if (this.#sources.size > 0 && !this.#granting) return false;
    const at = this.#head + this.#depth;
    this.#ring[at < this.#options.capacity ? at : at - this.#options.capacity] = job;
    this.#depth++;
    this.#bytes += bytes;
    if (this.#depth >= WAKE_AT_ONCE) this.#wakeTaker();
    else this.#wakeLater();
    return true;
  }

  awaitRoom(source: JobSource): void {
    this.#sources.add(source);
    this.#scheduleGrant();
  }

  forget(source: JobSource): void {
    this.#sources.delete(source);
  }

  /** The next job, undefined if none waits. */
  take(): Job | undefined {
    const job = this.#ring[this.#head];
    if (job === undefined) return undefined;
    this.#ring[this.#head] = undefined;
    this.#head = this.#head + 1 === this.#options.capacity ? 0 : this.#head + 1;
    this.#depth--;
    this.#bytes -= job.end - job.start;
    if (this.#sources.size > 0) this.#scheduleGrant();
    return job;
  }

  /** Resolves when a job may wait or the queue is closed. Takers are woken one by one. */
  available(): Promise<void> {
    if (this.#closed || this.#depth > 0) return Promise.resolve();
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** Wakes another taker if jobs are left. For a taker that is about to wait for something else. */
  passOn(): void {
    if (this.#depth > 0) this.#wakeTaker();
  }

  /** Lets takers end once the queue is empty. */
  close(): void {
    this.#closed = true;
    for (const wake of this.#takers.splice(0)) wake();
  }

  get closed(): boolean {
    return this.#closed;
  }

  #wakeTaker(): void {
    if (this.#wakePending) return;
    const wake = this.#takers.pop();
    if (wake === undefined) return;
    this.#wakePending = true;
    queueMicrotask(() => {
      this.#wakePending = false;
    });
    wake();
  }

  // Once a turn: a wake-up for each read would cost as much as the lines of a small read.
  #wakeLater(): void {
    this.#wakeScheduled ??= setImmediate(() => {
      this.#wakeScheduled = undefined;
      this.passOn();
    });
  }

  #scheduleGrant(): void {
    if (this.#grantScheduled !== undefined || !this.#hasRoom()) return;
    this.#grantScheduled = setImmediate(() => {
      this.#grantScheduled = undefined;
      this.#grant();
    });
  }

  // Sources come in when the queue is half empty. Otherwise a full queue would wake a source for each job taken.
  #hasRoom(): boolean {
    return this.#depth <= this.#options.capacity / 2 && this.#bytes <= this.#options.capacityBytes / 2;
  }

  #grant(): void {
    const { capacity, capacityBytes } = this.#options;
    this.#granting = true;
    let left = WAKE_SLICE;
    for (const source of this.#sources) {
      if (left-- === 0 || this.#depth === capacity || this.#bytes >= capacityBytes) break;
      this.#sources.delete(source);
      source.onRoom();
    }
    this.#granting = false;
    if (this.#sources.size > 0) this.#scheduleGrant();
  }
}
