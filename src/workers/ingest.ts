// Turns lines into records: with a queue and a worker pool, or one message at a time (TCP_USE_WORKER_POOL=false). It owns
// neither connections nor batches.
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import type { JobSink } from '../queue/job.ts';
import { JobQueue } from '../queue/job-queue.ts';
import { SerialSink } from '../queue/serial-sink.ts';
import type { RecordSink } from './record-sink.ts';
import { Worker } from './worker.ts';
import { WorkerPool } from './worker-pool.ts';

export interface Ingest {
  readonly sink: JobSink;
  readonly workers: number;
  start(): void;
  /** Resolves when every job is handled. No job may be offered after this call, except those that connections hold. */
  finish(): Promise<void>;
}

const MIN_QUEUE_BYTES = 16 * 2 ** 20;

export function createIngest(settings: Settings, records: RecordSink, log: Logger): Ingest {
  return settings.TCP_USE_WORKER_POOL ? pooled(settings, records, log) : serial(settings, records, log);
}

function pooled(settings: Settings, records: RecordSink, log: Logger): Ingest {
  const { TCP_WORKER_COUNT: count, TCP_JOB_QUEUE_SIZE: capacity } = settings;
  const capacityBytes = Math.max(MIN_QUEUE_BYTES, 4 * settings.TCP_MAX_LINE_BYTES);
  const queue = new JobQueue({ capacity, capacityBytes });
  const pool = new WorkerPool(queue, records, { count, awaitConfirmation: !settings.KAFKA_ASYNC });
  return {
    sink: queue,
    get workers() {
      return pool.count;
    },
    start() {
      log.info(`Starting TCP server with worker pool (${count} workers, queue size ${capacity})`);
      pool.start();
      log.info(`Started ${count} workers`);
    },
    finish() {
      queue.close();
      return pool.finished();
    },
  };
}

function serial(settings: Settings, records: RecordSink, log: Logger): Ingest {
  const worker = new Worker(records);
  const sink = new SerialSink(async (job) => {
    while (!records.hasRoom()) if (!(await records.room())) return;
    const ticket = worker.handle(job);
    if (!settings.KAFKA_ASYNC) await ticket?.settled();
  }, settings.TCP_MAX_CONNECTIONS);
  return {
    sink,
    workers: 0,
    start: () =>
      log.info('Starting TCP server without worker pool (one message at a time from each connection)'),
    finish: () => sink.idle(),
  };
}
