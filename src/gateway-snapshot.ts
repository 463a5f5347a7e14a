// Fills the snapshot from the parts of a process that count. Belongs to the wiring: the only place that reads them
// all.
import type { ProcessStats } from './admin/process-stats.ts';
import { MAX_PROBLEMS, type Readiness, type Snapshot } from './admin/snapshot.ts';
import type { Kafka } from './kafka/kafka.ts';
import type { JobSink } from './queue/job.ts';
import type { Acceptor } from './server/acceptor.ts';
import type { ReadPacer } from './server/read-pacer.ts';
import type { TcpServer } from './server/tcp-server.ts';

export interface SnapshotSources {
  readonly version: string;
  readonly server: TcpServer;
  readonly pacer: ReadPacer;
  readonly sink: JobSink;
  readonly workers: () => number;
  readonly kafka: Kafka;
  readonly process: ProcessStats;
  readonly stopping: () => boolean;
}

export function takeSnapshot(sources: SnapshotSources): Snapshot {
  const { server, pacer, sink, kafka } = sources;
  const { batcher, delivery, budget } = kafka;
  const queue = sink.stats;
  const leftovers = kafka.leftovers.records;
  const oldest = Math.min(batcher.oldestOpenMs ?? Infinity, delivery.oldestMs ?? Infinity);
  return {
    version: sources.version,
    at: new Date().toISOString(),
    uptimeSeconds: process.uptime(),
    readiness: readiness(sources),
    ...serverFigures(server, pacer),
    queue: {
      depth: queue.depth,
      capacity: queue.capacity,
      bytes: queue.bytes,
      capacityBytes: queue.capacityBytes,
      workers: sources.workers(),
    },
    records: {
      accepted: batcher.accepted,
      recovered: kafka.recovered + leftovers.recovered,
      open: batcher.openRecords,
      inFlight: delivery.inFlightRecords,
      spooled: delivery.spooledRecords + leftovers.spooled,
      confirmed: delivery.counters.confirmed + leftovers.confirmed,
      deadLettered: delivery.counters.deadLettered + leftovers.deadLettered,
      damaged: (kafka.spool?.badRecords ?? 0) + leftovers.damaged,
      abandoned: 0,
    },
    kafka: {
      connected: kafka.cluster?.connected ?? false,
      partitions: batcher.partitions,
      batchesConfirmed: delivery.counters.batchesConfirmed,
      bytesSent: delivery.bytesSent,
      retries: delivery.counters.retries,
      bufferBytes: budget.used,
      bufferCapacityBytes: budget.capacity,
      oldestUnconfirmedSeconds: oldest === Infinity ? 0 : (performance.now() - oldest) / 1000,
      lastError: kafka.link?.problem ?? delivery.counters.lastError,
      problems: problemsOf(kafka),
      heldPartitions: delivery.heldPartitions,
      throttledSeconds: (kafka.cluster?.throttledMs ?? 0) / 1000,
    },
    spool: {
      bytes: (kafka.spool?.bytes ?? 0) + kafka.leftovers.bytes,
      capacityBytes: kafka.spool?.maxBytes ?? 0,
      partitions: delivery.spoolingPartitions,
      oldestSeconds: spoolAgeSeconds(kafka),
      badBatches: kafka.spool?.badBatches ?? 0,
      batchesWritten: delivery.counters.batchesSpooled,
      trouble: delivery.spoolTrouble ?? kafka.leftovers.trouble,
    },
    deadLetters: deadLetterFigures(kafka),
    process: sources.process.read(),
    processes: { configured: 1, running: 1, restarts: 0, unseen: 0 },
  };
}

function deadLetterFigures({ deadLetters, leftovers }: Kafka): Snapshot['deadLetters'] {
  const { letters } = leftovers;
  return {
    sent: deadLetters.sent + letters.sent,
    dropped: deadLetters.dropped,
    waiting: deadLetters.waiting + letters.waiting,
    bytes: deadLetters.bytes + letters.bytes,
    problem: deadLetters.problem ?? letters.problem,
  };
}

/** Of connections and lines, but for those of the port. */
export function serverFigures(
  { counters, activeConnections, uniqueZipcodes, wheel }: TcpServer,
  pacer?: ReadPacer,
): Pick<Snapshot, 'connections' | 'lines'> {
  return {
    connections: {
      active: activeConnections,
      maximum: 0,
      identified: counters.identified,
      accepted: 0,
      paused: counters.paused,
      uniqueZipcodes,
      scheduledTimers: wheel.size,
      receivedBytes: counters.receivedBytes,
      readRests: pacer?.rests ?? 0,
    },
    lines: {
      received: counters.linesReceived,
      accepted: counters.linesAccepted,
      waiting: counters.linesReceived - counters.linesAccepted - counters.linesRefused,
      refused: { ...counters.refused },
      refusedLines: counters.linesRefused,
    },
  };
}

/** The figures of the port, which is one for all processes. */
export function withAcceptor(snapshot: Snapshot, { options, counters }: Acceptor): Snapshot {
  return {
    ...snapshot,
    connections: {
      ...snapshot.connections,
      maximum: options.maxConnections,
      accepted: counters.accepted,
    },
    lines: {
      ...snapshot.lines,
      refused: { ...snapshot.lines.refused, server_full: counters.refused },
    },
  };
}

/** Why records are not delivered, Kafka as a whole first. */
function problemsOf(kafka: Kafka): readonly string[] {
  const problem = kafka.link?.problem ?? null;
  const all = [
    ...(problem === null ? [] : [problem]),
    ...kafka.delivery.problems,
    ...kafka.leftovers.problems,
  ];
  return [...new Set(all)].slice(0, MAX_PROBLEMS);
}

function readiness({ kafka, stopping }: SnapshotSources): Readiness {
  const reasons: string[] = [];
  if (stopping()) reasons.push('the gateway is stopping');
  // Records are safe on the disk meanwhile, but whoever routes devices may have a better gateway for them.
  if (kafka.link !== undefined && kafka.link.problem !== null)
    reasons.push(`Kafka cannot be used${kafka.link.isPartial ? ' in full' : ''}: ${kafka.link.problem}`);
  const { counters, failingPartitions, heldPartitions, problems } = kafka.delivery;
  const waiting = Math.max(failingPartitions, heldPartitions);
  if (reasons.length === 0 && waiting > 0) {
    const why = counters.lastError === null ? '' : `: ${counters.lastError}`;
    reasons.push(`${waiting} partitions are refused by Kafka and wait in the spool${why}`);
  }
  // A reason that does not go away by itself tells what to do, also while Kafka as a whole has another problem.
  if (waiting > 0) reasons.push(...problems);
  if (!kafka.budget.hasRoom())
    reasons.push('unconfirmed records fill KAFKA_BUFFER_BYTES, devices are paused');
  if (kafka.delivery.spoolTrouble !== null) reasons.push(kafka.delivery.spoolTrouble);
  if (kafka.deadLetters.blocked !== null) reasons.push(kafka.deadLetters.blocked);
  return { ready: reasons.length === 0, reasons };
}

function spoolAgeSeconds({ spool }: Kafka): number {
  const oldest = spool?.oldestMs;
  return oldest === undefined ? 0 : Math.max(0, (Date.now() - oldest) / 1000);
}
