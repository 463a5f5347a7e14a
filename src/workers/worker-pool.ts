// N asynchronous workers on one queue. Each takes a slice of jobs and handles it without an await. Then it waits: for
// jobs, for room for records, or with KAFKA_ASYNC=false for the confirmation of its records.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JobQueue } from '../queue/job-queue.ts';
import type { BatchTicket, RecordSink } from './record-sink.ts';
import { Worker } from './worker.ts';

export interface WorkerPoolOptions {
  /** Number of workers (TCP_WORKER_COUNT). */
  readonly count: number;
  /** Whether a worker waits for the confirmation of its records before it takes more jobs (KAFKA_ASYNC=false). */
  readonly awaitConfirmation: boolean;
}

// Jobs that a worker handles before sockets and timers get their turn: less than 5 ms for usual lines.
const SLICE = 1000;
/** A longer line counts as several jobs: a slice of the longest lines would hold up the event loop. */
const USUAL_LINE_BYTES = 256;
// A worker that waits for confirmations takes few jobs, so that the other workers get some as well.
const AWAITED_SLICE = 64;

export class WorkerPool {
  readonly #queue: JobQueue;
  readonly #sink: RecordSink;
  readonly #options: WorkerPoolOptions;
  #running: Promise<void>[] = [];

  constructor(queue: JobQueue, sink: RecordSink, options: WorkerPoolOptions) {
    this.#queue = queue;
    this.#sink = sink;
    this.#options = options;
  }

  get count(): number {
    return this.#running.length;
  }

  start(): void {
    this.#running = Array.from({ length: this.#options.count }, () => this.#run(new Worker(this.#sink)));
  }

  /** Resolves when every job is handled. The queue has to be closed before. */
  async finished(): Promise<void> {
    await Promise.all(this.#running);
    this.#running = [];
  }

  async #run(worker: Worker): Promise<void> {
    const slice = this.#options.awaitConfirmation ? AWAITED_SLICE : SLICE;
    for (;;) {
      await this.#queue.available();
      if (!this.#sink.hasRoom()) {
        if (await this.#sink.room()) continue;
        return;
      }
      const tickets = this.#handleSlice(worker, slice);
      if (this.#options.awaitConfirmation) {
        this.#queue.passOn();
        await Promise.all([...tickets].map((ticket) => ticket.settled()));
      } else if (this.#queue.stats.depth > 0) {
        await nextTurn();
      }
      if (this.#queue.closed) {
        // Lines that connections hold were received too. They come in a turn later.
        if (this.#queue.waitingSources > 0) await nextTurn();
        else if (this.#queue.stats.depth === 0) return;
      }
    }
  }

  #handleSlice(worker: Worker, slice: number): Set<BatchTicket> {
    const tickets = new Set<BatchTicket>();
    for (let left = slice; left > 0 && this.#sink.hasRoom(); ) {
      const job = this.#queue.take();
      if (job === undefined) break;
      left -= Math.max(1, (job.end - job.start) / USUAL_LINE_BYTES);
      const ticket = worker.handle(job);
      if (ticket !== undefined && this.#options.awaitConfirmation) tickets.add(ticket);
    }
    return tickets;
  }
}
