// Turns lines into records: with a queue and a worker pool, or one message at a time (TCP_USE_WORKER_POOL=false). It owns
// neither connections nor batches.

import type { Settings } from '../config/settings.ts';
import type { Log } from '../log/log.ts';
import { LINE_SECONDS } from '../measure/buckets.ts';
import { Histogram } from '../measure/histogram.ts';
import { decoderFor } from '../protocol/line-decoder.ts';
import type { Congestion } from '../queue/congestion.ts';
import type { Job, JobSink } from '../queue/job.ts';
import { JobQueue } from '../queue/job-queue.ts';
import { SerialSink } from '../queue/serial-sink.ts';
import { TurnBudget, type Turns } from '../queue/turn-budget.ts';
import type { LineSinks } from './line-sinks.ts';
import type { LineWatch } from './line-watch.ts';
import type { RecordSink } from './record-sink.ts';
import { Worker } from './worker.ts';
import { WorkerPool } from './worker-pool.ts';

export interface Ingest {
  readonly sink: JobSink;
  /** The time that lines and their replies may cost in a turn. */
  readonly budget: TurnBudget;
  readonly workers: number;
  /** Seconds from the reception of a line to the turn of the event loop in which it was handled. */
  readonly waits: Histogram;
  /** True while lines wait for their turn. */
  readonly linesWait: boolean;
  /** Some of them will be handled in the next turn, whatever else happens. */
  readonly goesOn: boolean;
  start(): void;
  /** Resolves when every job is handled. No job may be offered after this call, except those that connections hold. */
  finish(): Promise<void>;
}

export interface IngestOptions {
  readonly log: Log;
  /** Partitions whose readings have to wait. */
  readonly congestion?: Congestion;
  readonly watch?: LineWatch;
  /** The topics of plain lines. Left out, they go with the readings of devices. */
  readonly lines?: LineSinks;
  /** Called for each line that a full queue refuses (TCP_JOB_QUEUE_FULL=drop). */
  readonly dropped: () => void;
  /** Before the lines of a turn are handled. */
  readonly turns?: Turns;
}

const MIN_QUEUE_BYTES = 16 * 2 ** 20;

export function createIngest(settings: Settings, records: RecordSink, options: IngestOptions): Ingest {
  const create = settings.TCP_USE_WORKER_POOL ? pooled : serial;
  return create(settings, records, options);
}

function pooled(
  settings: Settings,
  records: RecordSink,
  { log, congestion, watch, lines, dropped, turns }: IngestOptions,
): Ingest {
  const { TCP_WORKER_COUNT: count, TCP_JOB_QUEUE_SIZE: capacity } = settings;
  const capacityBytes = Math.max(MIN_QUEUE_BYTES, 4 * settings.TCP_MAX_LINE_BYTES);
  const drops = settings.TCP_JOB_QUEUE_FULL === 'drop';
  const budget = new TurnBudget(undefined, turns);
  const queue = new JobQueue({
    capacity,
    capacityBytes,
    budget,
    ...(congestion && { congestion }),
    ...(drops && { dropped }),
  });
  const awaitConfirmation = !settings.KAFKA_ASYNC;
  const pool = new WorkerPool(queue, records, {
    count,
    budget,
    watch,
    decoder: decoderFor(settings),
    lines,
    awaitConfirmation,
  });
  return {
    sink: queue,
    budget,
    waits: pool.waits,
    get workers() {
      return pool.count;
    },
    get linesWait() {
      return queue.stats.depth > 0 || queue.waitingSources > 0;
    },
    get goesOn() {
      return queue.haveTurns && records.hasRoom();
    },
    start() {
      log.write('workers_starting', { workers: count, queueSize: capacity });
      pool.start();
      log.write('workers_started', { workers: count });
    },
    finish() {
      queue.close();
      return pool.finished();
    },
  };
}

function serial(
  settings: Settings,
  records: RecordSink,
  { log, congestion, watch, lines }: IngestOptions,
): Ingest {
  const budget = new TurnBudget();
  const worker = new Worker(records, budget, watch, decoderFor(settings), lines);
  const waits = new Histogram(LINE_SECONDS);
  const handle = async (job: Job) => {
    while (congestion?.holds(job))
      await new Promise<void>((resolve) => congestion.whenOver(job.session.partition, resolve));
    while (!records.hasRoom()) if (!(await records.room())) return;
    waits.record(Math.max(0, Date.now() - job.receivedAtMs) / 1000);
    budget.begin();
    const ticket = worker.handle(job);
    budget.end();
    if (!settings.KAFKA_ASYNC) await ticket?.settled();
  };
  const sink = new SerialSink(handle, { capacity: settings.TCP_MAX_CONNECTIONS, budget });
  return {
    sink,
    budget,
    workers: 0,
    waits,
    get linesWait() {
      return sink.stats.depth > 0;
    },
    goesOn: false,
    start: () => log.write('serial_server_starting'),
    finish: () => sink.idle(),
  };
}
