// The figures of the kafkajs baseline, in the format of the gateway's /stats. Parts that the baseline lacks, such as the
// spool, are zero.
import { emptyFigures } from '../../src/admin/figures.ts';
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
  const empty = emptyFigures();
  return {
    ...empty,
    version: 'baseline',
    at: new Date().toISOString(),
    uptimeSeconds: process.uptime(),
    readiness: { ready: true, reasons: [] },
    components: [],
    ...serverFigures(server),
    queue: { ...empty.queue, ...queue.stats },
    records: {
      ...empty.records,
      accepted: sink.accepted,
      inFlight: sink.unconfirmed,
      confirmed: sink.confirmed,
    },
    kafka: {
      ...empty.kafka,
      bufferBytes: sink.budget.used,
      bufferCapacityBytes: sink.budget.usable,
    },
    process: stats.read(),
    processes: { ...empty.processes, configured: 1, running: 1 },
  };
}
