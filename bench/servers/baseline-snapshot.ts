// The baseline's figures in the shape in which every server of the bench is asked for them. What it does not have,
// such as a spool, is zero.
import type { ProcessStats } from '../../src/admin/process-stats.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { serverFigures } from '../../src/gateway/gateway-snapshot.ts';
import type { JobSink } from '../../src/queue/job.ts';
import type { TcpServer } from '../../src/server/tcp-server.ts';
import type { KafkajsSink } from './kafkajs-sink.ts';

export interface BaselineParts {
  readonly server: TcpServer;
  readonly sink: KafkajsSink;
  readonly queue: JobSink;
  readonly process: ProcessStats;
}

export function baselineSnapshot({ server, sink, queue, process: stats }: BaselineParts): Snapshot {
  return {
    version: 'baseline',
    at: new Date().toISOString(),
    uptimeSeconds: process.uptime(),
    readiness: { ready: true, reasons: [] },
    ...serverFigures(server),
    queue: { ...queue.stats, workers: 0 },
    records: {
      accepted: sink.accepted,
      recovered: 0,
      open: 0,
      inFlight: sink.unconfirmed,
      spooled: 0,
      confirmed: sink.confirmed,
      deadLettered: 0,
      damaged: 0,
      abandoned: 0,
    },
    kafka: {
      connected: true,
      partitions: 0,
      batchesConfirmed: 0,
      bytesSent: 0,
      retries: 0,
      bufferBytes: sink.budget.used,
      bufferCapacityBytes: sink.budget.capacity,
      oldestUnconfirmedSeconds: 0,
      lastError: null,
      problems: [],
      heldPartitions: 0,
      throttledSeconds: 0,
    },
    spool: {
      bytes: 0,
      capacityBytes: 0,
      partitions: 0,
      oldestSeconds: 0,
      badBatches: 0,
      batchesWritten: 0,
      trouble: null,
      otherRecords: 0,
      otherTopics: [],
    },
    deadLetters: { sent: 0, dropped: 0, waiting: 0, bytes: 0, problem: null },
    process: stats.read(),
    processes: { configured: 1, running: 1, restarts: 0, unseen: 0 },
  };
}
