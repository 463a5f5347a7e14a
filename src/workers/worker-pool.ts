// N asynchronous workers on one queue. Each takes jobs until the queue gives no more, and handles them without an await. Then it waits: for
// jobs, for room for records, or with KAFKA_ASYNC=false for the confirmation of its records.
import { AgeRuns } from '../measure/age-runs.ts';
import { LINE_SECONDS } from '../measure/buckets.ts';
import { Histogram } from '../measure/histogram.ts';
import type { LineDecoder } from '../protocol/line-decoder.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import type { TurnBudget } from '../queue/turn-budget.ts';
import type { LineSinks } from './line-sinks.ts';
import type { LineWatch } from './line-watch.ts';
import type { BatchTicket, RecordSink } from './record-sink.ts';
import { Worker } from './worker.ts';

export interface WorkerPoolOptions {
  /** Number of workers (TCP_WORKER_COUNT). */
  readonly count: number;
  /** Whether a worker waits for the confirmation of its records before it takes more jobs (KAFKA_ASYNC=false). */
  readonly awaitConfirmation: boolean;
  /** That of the queue. */
  readonly budget: TurnBudget;
  readonly watch?: LineWatch | undefined;
  /** That of docs/protocol.md without settings if left out. */
  readonly decoder?: LineDecoder | undefined;
  /** The topics of plain lines. */
  readonly lines?: LineSinks | undefined;
}

// A worker that waits for confirmations takes few jobs, so that the other workers get some as well.
const AWAITED_SLICE = 64;

export class WorkerPool {
  /** Seconds from the reception of a line to the end of the slice in which a worker handled it. */
  readonly waits = new Histogram(LINE_SECONDS);

  readonly #queue: JobQueue;
  readonly #sink: RecordSink;
  readonly #options: WorkerPoolOptions;
  /** Of the lines of a slice. No worker awaits within one, so all share it. */
  readonly #received = new AgeRuns();
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
    const { count, budget, watch, decoder, lines } = this.#options;
    this.#running = Array.from({ length: count }, () =>
      this.#run(new Worker(this.#sink, budget, watch, decoder, lines)),
    );
  }

  /** Resolves when every job is handled. The queue has to be closed before. */
  async finished(): Promise<void> {
    await Promise.all(this.#running);
    this.#running = [];
  }

  async #run(worker: Worker): Promise<void> {
    const { awaitConfirmation } = this.#options;
    while (!this.#queue.drained) {
      await this.#queue.available();
      if (!this.#sink.hasRoom()) {
        if (await this.#sink.room()) continue;
        break;
      }
      const tickets = this.#handleSlice(worker);
      if (!awaitConfirmation) continue;
      this.#queue.passOn();
      await Promise.all([...tickets].map((ticket) => ticket.settled()));
    }
    // The others may have to end as well.
    this.#queue.passOn();
  }

  #handleSlice(worker: Worker): Set<BatchTicket> {
    const { awaitConfirmation, budget } = this.#options;
    const tickets = new Set<BatchTicket>();
    budget.begin();
    for (let left = awaitConfirmation ? AWAITED_SLICE : Infinity; left > 0 && this.#sink.hasRoom(); left--) {
      const job = this.#queue.take();
      if (job === undefined) break;
      this.#received.add(job.receivedAtMs);
      const ticket = worker.handle(job);
      if (ticket !== undefined && awaitConfirmation) tickets.add(ticket);
    }
    budget.end();
    this.#received.recordTo(this.waits, Date.now());
    this.#received.clear();
    return tickets;
  }
}
