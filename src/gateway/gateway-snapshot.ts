// Reads the figures of all parts of a process into a snapshot. It counts nothing itself.
import { distinctProblems } from '../admin/figures.ts';
import { mergeOtherTopics } from '../admin/other-topics.ts';
import type { ProcessStats } from '../admin/process-stats.ts';
import type { Readiness, Snapshot } from '../admin/snapshot.ts';
import type { Kafka } from '../kafka/kafka.ts';
import { countsByReason } from '../protocol/server-full.ts';
import type { JobSink } from '../queue/job.ts';
import type { Acceptor } from '../server/acceptor.ts';
import type { ReadCoalescer } from '../server/read-coalescer.ts';
import type { TcpServer } from '../server/tcp-server.ts';

export interface SnapshotSources {
  readonly version: string;
  readonly server: TcpServer;
  readonly coalescer: ReadCoalescer;
  readonly sink: JobSink;
  readonly workers: () => number;
  readonly kafka: Kafka;
  readonly process: ProcessStats;
  readonly stopping: () => boolean;
}

export function takeSnapshot(sources: SnapshotSources): Snapshot {
  const { server, coalescer, sink, kafka } = sources;
  const { batcher, delivery, budget } = kafka;
  const orphaned = kafka.orphans.records;
  const oldest = Math.min(batcher.oldestOpenMs ?? Infinity, delivery.oldestMs ?? Infinity);
  return {
    version: sources.version,
    at: new Date().toISOString(),
    uptimeSeconds: process.uptime(),
    readiness: readiness(sources),
    ...serverFigures(server, coalescer),
    queue: { ...sink.stats, workers: sources.workers() },
    records: {
      accepted: batcher.accepted,
      recovered: kafka.recovered + orphaned.recovered,
      open: batcher.openRecords,
      inFlight: delivery.inFlightRecords,
      spooled: delivery.spooledRecords + orphaned.spooled,
      confirmed: delivery.counters.confirmed + orphaned.confirmed,
      deadLettered: delivery.counters.deadLettered + orphaned.deadLettered,
      damaged: (kafka.spool?.badRecords ?? 0) + orphaned.damaged,
      abandoned: 0,
    },
    kafka: {
      connected: kafka.cluster?.connected ?? false,
      partitions: batcher.partitions ?? 0,
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
    spool: spoolFigures(kafka),
    deadLetters: deadLetterFigures(kafka),
    process: sources.process.read(),
    processes: { configured: 1, running: 1, degraded: 0, restarts: 0, unseen: 0 },
  };
}

function spoolFigures({ delivery, spool, spoolCap, orphans }: Kafka): Snapshot['spool'] {
  const oldestMs = Math.min(delivery.oldestSpooledMs ?? Infinity, orphans.oldestMs ?? Infinity);
  const others = orphans.otherTopics;
  return {
    bytes: spoolCap.bytes,
    capacityBytes: spoolCap.maxBytes,
    partitions: delivery.spoolingPartitions,
    oldestSeconds: oldestMs === Infinity ? 0 : Math.max(0, (Date.now() - oldestMs) / 1000),
    badBatches: (spool?.badBatches ?? 0) + orphans.badBatches,
    batchesWritten: delivery.counters.batchesSpooled,
    trouble: delivery.spoolTrouble ?? orphans.trouble,
    otherRecords: others.reduce((sum, { records }) => sum + records, 0),
    otherTopics: mergeOtherTopics(others),
  };
}

function deadLetterFigures({ deadLetters, orphans: { letters } }: Kafka): Snapshot['deadLetters'] {
  return {
    sent: deadLetters.sent + letters.sent,
    dropped: deadLetters.dropped,
    waiting: deadLetters.waiting + letters.waiting,
    bytes: deadLetters.bytes,
    problem: deadLetters.problem ?? letters.problem,
  };
}

/** The figures of connections and lines. withAcceptor() adds those of the port. */
export function serverFigures(
  { counters, activeConnections, wheel, memory }: TcpServer,
  coalescer?: ReadCoalescer,
): Pick<Snapshot, 'connections' | 'lines'> {
  return {
    connections: {
      active: activeConnections,
      maximum: 0,
      identified: counters.identified,
      accepted: 0,
      refused: countsByReason(),
      waiting: 0,
      paused: counters.paused,
      slowed: counters.slowed,
      bufferBytes: memory.used,
      bufferCapacityBytes: memory.capacity,
      wrongProtocol: { ...counters.wrongProtocol },
      uniqueZipcodes: 0,
      scheduledTimers: wheel.size,
      receivedBytes: counters.receivedBytes,
      readRests: coalescer?.pauses ?? 0,
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

/** Adds the figures of the port. The owner of the ledger adds the maximum and the zipcodes. */
export function withAcceptor(snapshot: Snapshot, { counters, waiting }: Acceptor): Snapshot {
  const { connections, lines } = snapshot;
  const refused = Object.values(counters.refused).reduce((sum, count) => sum + count, 0);
  return {
    ...snapshot,
    connections: {
      ...connections,
      accepted: counters.accepted,
      refused: { ...counters.refused },
      waiting,
    },
    lines: { ...lines, refused: { ...lines.refused, server_full: refused } },
  };
}

/** Why records are not delivered. A problem of the whole cluster comes first. */
function problemsOf(kafka: Kafka): readonly string[] {
  const problem = kafka.link?.problem ?? null;
  const first = problem === null ? [] : [problem];
  return distinctProblems([...first, ...kafka.delivery.problems, ...kafka.orphans.problems]);
}

function readiness({ kafka, stopping }: SnapshotSources): Readiness {
  const reasons: string[] = [];
  if (stopping()) reasons.push('the gateway is stopping');
  // Records are safe on disk meanwhile, but a load balancer may have a better gateway for the devices.
  if (kafka.link !== undefined && kafka.link.problem !== null)
    reasons.push(`Kafka cannot be used${kafka.link.isPartial ? ' in full' : ''}: ${kafka.link.problem}`);
  const { counters, failingPartitions, heldPartitions, problems } = kafka.delivery;
  const waiting = Math.max(failingPartitions, heldPartitions);
  if (reasons.length === 0 && waiting > 0) {
    const why = counters.lastError === null ? '' : `: ${counters.lastError}`;
    const [partitions, verb] =
      waiting === 1 ? ['1 partition is', 'waits'] : [`${waiting} partitions are`, 'wait'];
    reasons.push(`${partitions} refused by Kafka and ${verb} in the spool${why}`);
  }
  // These say what an operator has to do, so they are listed beside a problem of the whole cluster.
  if (waiting > 0) reasons.push(...problems);
  if (!kafka.budget.hasRoom())
    reasons.push('unconfirmed records fill KAFKA_BUFFER_BYTES, devices are paused');
  if (kafka.delivery.spoolTrouble !== null) reasons.push(kafka.delivery.spoolTrouble);
  if (kafka.deadLetters.blocked !== null) reasons.push(kafka.deadLetters.blocked);
  return { ready: reasons.length === 0, reasons };
}
