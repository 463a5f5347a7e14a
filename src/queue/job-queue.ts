// The bounded queue between connections and workers: bounded in jobs and in bytes, first in first out.
// Sources that found it full are let in again in the order they came, so a noisy one cannot keep the others out.
import type { Job, JobSink, JobSinkStats, JobSource } from './job.ts';

export interface JobQueueOptions {
  /** Waiting jobs at most (TCP_JOB_QUEUE_SIZE). */
  readonly capacity: number;
  /** Bytes of waiting lines at most. */
  readonly capacityBytes: number;
}

// Jobs that do not wait for the end of the turn in which they came.
const WAKE_AT_ONCE = 200;
// Sources woken in one turn of the event loop: resuming thousands at once makes a storm.
const WAKE_SLICE = 256;

export class JobQueue implements JobSink {
  readonly #options: JobQueueOptions;
  // A ring: no array grows or shifts on the hot path.
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
    return {
      depth: this.#depth,
      capacity: this.#options.capacity,
      bytes: this.#bytes,
      capacityBytes: this.#options.capacityBytes,
    };
  }

  /** Sources that wait for room. */
  get waitingSources(): number {
    return this.#sources.size;
  }

  offer(job: Job): boolean {
    const bytes = job.end - job.start;
    if (this.#depth === this.#options.capacity) return false;
    // A single line larger than the whole allowance still passes through an empty queue.
    if (this.#depth > 0 && this.#bytes + bytes > this.#options.capacityBytes) return false;
    // Whoever waits comes first: a newcomer must not take the room that was made for them.
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

  /** The next job, or undefined where none waits. */
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

  /** Resolves when a job may be waiting or the queue was closed; several takers are woken one by one. */
  available(): Promise<void> {
    if (this.#closed || this.#depth > 0) return Promise.resolve();
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** Wakes a further taker where jobs are left, for a taker that is about to wait for something else. */
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

  // Once a turn: a wake-up for each read would cost as much as the lines of a small one.
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

  // Room is handed out at half empty, not job by job, so that a full queue does not wake a source for each line.
  #hasRoom(): boolean {
    return this.#depth <= this.#options.capacity / 2 && this.#bytes <= this.#options.capacityBytes / 2;
  }

  #grant(): void {
    this.#granting = true;
    let left = WAKE_SLICE;
    for (const source of this.#sources) {
      if (
        left-- === 0 ||
        this.#depth === this.#options.capacity ||
        this.#bytes >= this.#options.capacityBytes
      )
        break;
      this.#sources.delete(source);
      source.onRoom();
    }
    this.#granting = false;
    if (this.#sources.size > 0) this.#scheduleGrant();
  }
}
