// N asynchronous workers over one queue. Each takes a slice of jobs at a time, handles it without a pause, and
// then waits for whatever it has to: jobs, room for records, or (KAFKA_ASYNC=false) its records' confirmation.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JobQueue } from '../queue/job-queue.ts';
import type { BatchTicket, RecordSink } from './record-sink.ts';
import { Worker } from './worker.ts';

export interface WorkerPoolOptions {
  /** Workers (TCP_WORKER_COUNT). */
  readonly count: number;
  /** True where a worker waits until its records are confirmed before it takes more (KAFKA_ASYNC=false). */
  readonly awaitConfirmation: boolean;
}

// Jobs a worker handles before sockets and timers get their turn: under 5 ms of the usual lines.
const SLICE = 1000;
/** A longer line counts as several: hundreds of the longest would hold up everything else. */
const USUAL_LINE_BYTES = 256;
// A worker that waits for its confirmation takes few, so that the others find some as well.
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

  /** Resolves when every job that waited was handled; the queue has to be closed before. */
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
        // Lines that connections hold back were received: they still come in, a turn later.
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
