// Reads the figures of all parts of a process. It counts nothing itself, and judges nothing: health/ does.
import { emptyFigures } from '../admin/figures.ts';
import { distinctProblems, type KafkaTrouble, type TopicFigures } from '../admin/kafka-figures.ts';
import { mergeOtherTopics } from '../admin/other-topics.ts';
import { runsOf } from '../admin/partition-runs.ts';
import type { ProcessStats } from '../admin/process-stats.ts';
import type { Figures } from '../admin/snapshot.ts';
import { countsByStage } from '../admin/stages.ts';
import type { Kafka } from '../kafka/kafka.ts';
import type { Pipeline } from '../kafka/pipelines/pipeline.ts';
import type { CurrentTrouble, TroubleCause } from '../kafka/topics/trouble.ts';
import type { Histogram } from '../measure/histogram.ts';
import { countsByReason } from '../protocol/server-full.ts';
import type { JobSink } from '../queue/job.ts';
import type { Acceptor } from '../server/acceptor.ts';
import type { ReadCoalescer } from '../server/read-coalescer.ts';
import type { TcpServer } from '../server/tcp-server.ts';
import type { LineSinks } from '../workers/line-sinks.ts';
import type { HealthWatch } from './health-watch.ts';

export interface SnapshotSources {
  readonly version: string;
  readonly server: TcpServer;
  readonly lineSinks: LineSinks;
  readonly coalescer: ReadCoalescer;
  readonly sink: JobSink;
  readonly workers: () => number;
  /** Of lines in the queue. */
  readonly waits: Histogram;
  readonly kafka: Kafka;
  readonly process: ProcessStats;
  readonly watch: HealthWatch;
}

export function takeFigures(sources: SnapshotSources): Figures {
  const { server, coalescer, sink, kafka, watch } = sources;
  const { batcher, budget, readings } = kafka;
  const { records } = readings;
  const orphaned = kafka.orphans.records;
  const { histograms } = kafka;
  const figures = serverFigures(server, coalescer);
  const empty = emptyFigures();
  const oldest = readings.oldestMs;
  return {
    version: sources.version,
    at: new Date().toISOString(),
    uptimeSeconds: process.uptime(),
    ...figures,
    lines: {
      ...figures.lines,
      toStoredSeconds: histograms.lineToStored.value,
      toKafkaSeconds: histograms.lineToKafka.value,
      withoutTopic: sources.lineSinks.withoutTopic,
    },
    // DevicePort has them.
    tls: empty.tls,
    // Whoever has the ledger has them.
    resume: empty.resume,
    queue: {
      ...sink.stats,
      workers: sources.workers(),
      full: Number(watch.isQueueFull),
      waitSeconds: sources.waits.value,
    },
    records: {
      accepted: records.accepted,
      withoutKey: records.withoutKey,
      recovered: records.recovered + orphaned.recovered,
      open: records.open,
      inFlight: records.inFlight,
      spooled: records.spooled + orphaned.spooled,
      confirmed: records.confirmed + orphaned.confirmed,
      deadLettered: records.deadLettered + orphaned.deadLettered,
      damaged: records.damaged + orphaned.damaged,
      abandoned: 0,
    },
    kafka: {
      connected: kafka.cluster?.connected ?? false,
      partitions: batcher.partitions ?? 0,
      batchesConfirmed: readings.batchesConfirmed,
      produceSeconds: kafka.cluster?.produceTimes ?? empty.kafka.produceSeconds,
      batchRecords: histograms.batchRecords.value,
      batchBytes: histograms.batchBytes.value,
      bytesSent: readings.bytesSent,
      retries: readings.retries,
      bufferBytes: budget.used,
      bufferCapacityBytes: budget.usable,
      buffersFull: Number(watch.isBufferFull),
      oldestUnconfirmedSeconds: oldest === undefined ? 0 : (performance.now() - oldest) / 1000,
      lastError: readings.lastError,
      problems: problemsOf(kafka),
      trouble: clusterTrouble(kafka),
      topics: topicFigures(kafka),
      heldPartitions: readings.heldPartitions,
      throttledSeconds: (kafka.cluster?.throttledMs ?? 0) / 1000,
      throttled: Number(watch.isThrottled),
      clockOffsetSeconds: secondsOf(kafka.cluster?.clockOffsetMs),
    },
    spool: spoolFigures(kafka, watch),
    deadLetters: deadLetterFigures(kafka),
    // The owner of the ledger has them.
    presence: empty.presence,
    admin: empty.admin,
    process: sources.process.read(),
    processes: { configured: 1, running: 1, degraded: 0, hung: [], restarts: 0, unseen: 0 },
    // Whoever has the admin port knows the processes.
    byProcess: empty.byProcess,
  };
}

function spoolFigures(
  { readings, spoolCap, syncTimes, orphans }: Kafka,
  { refusal, growthBytesPerSecond, freeBytes }: HealthWatch,
): Figures['spool'] {
  const oldestMs = Math.min(readings.oldestSpooledMs ?? Infinity, orphans.oldestMs ?? Infinity);
  const others = orphans.otherTopics;
  return {
    bytes: spoolCap.bytes,
    capacityBytes: spoolCap.maxBytes,
    fullestRatio: spoolCap.maxBytes > 0 ? spoolCap.bytes / spoolCap.maxBytes : 0,
    partitions: readings.spoolingPartitions,
    oldestSeconds: oldestMs === Infinity ? 0 : Math.max(0, (Date.now() - oldestMs) / 1000),
    badBatches: readings.badBatches + orphans.badBatches,
    batchesWritten: readings.batchesSpooled,
    syncSeconds: syncTimes.value,
    trouble: readings.spoolTrouble ?? orphans.trouble,
    refusal,
    growthBytesPerSecond,
    diskFreeBytes: freeBytes,
    otherRecords: others.reduce((sum, { records }) => sum + records, 0),
    otherTopics: mergeOtherTopics(others),
  };
}

function deadLetterFigures({ deadLetters, orphans: { letters } }: Kafka): Figures['deadLetters'] {
  return {
    sent: deadLetters.sent + letters.sent,
    dropped: deadLetters.dropped,
    waiting: deadLetters.waiting + letters.waiting,
    bytes: deadLetters.bytes,
    problem: deadLetters.problem ?? letters.problem,
    blocked: deadLetters.blocked,
  };
}

/** The figures of connections and lines. withAcceptor() adds those of the port. */
export function serverFigures(
  { counters, activeConnections, wheel, memory, replyFlush }: TcpServer,
  coalescer?: ReadCoalescer,
): Pick<Figures, 'connections' | 'lines'> {
  const empty = emptyFigures().lines;
  return {
    connections: {
      active: activeConnections,
      maximum: 0,
      identified: counters.identified,
      accepted: 0,
      refused: countsByReason(),
      waiting: 0,
      outOfFiles: 0,
      stages: {
        ...countsByStage(),
        identify: activeConnections - counters.identified - counters.senders,
        identified: counters.identified,
        lines: counters.senders,
      },
      closed: { ...counters.closed },
      paused: counters.paused,
      slowed: counters.slowed,
      bufferBytes: memory.used,
      bufferCapacityBytes: memory.capacity,
      wrongProtocol: { ...counters.wrongProtocol },
      proxyHeaders: { ...counters.proxyHeaders },
      unauthorized: { ...counters.unauthorized },
      uniqueZipcodes: 0,
      scheduledTimers: wheel.size,
      receivedBytes: counters.receivedBytes,
      sentBytes: replyFlush.sentBytes,
      readRests: coalescer?.pauses ?? 0,
    },
    lines: {
      received: counters.linesReceived,
      accepted: counters.linesAccepted,
      waiting: counters.linesReceived - counters.linesAccepted - counters.linesRefused,
      refused: { ...counters.refused },
      refusedLines: counters.linesRefused,
      plain: { ...counters.plainLines },
      withoutTopic: 0,
      warnings: counters.warnings,
      alreadyStored: counters.linesAlreadyStored,
      toStoredSeconds: empty.toStoredSeconds,
      toKafkaSeconds: empty.toKafkaSeconds,
    },
  };
}

/**
 * Adds the figures of the port. The owner of the ledger adds the maximum and the zipcodes.
 * @param tls undefined without TLS
 */
export function withAcceptor(
  figures: Figures,
  { counters, stages }: Pick<Acceptor, 'counters' | 'stages'>,
  tls?: { readonly size: number; readonly figures: Figures['tls'] },
): Figures {
  const { connections, lines } = figures;
  const unserved = { ...stages, tls: tls?.size ?? 0 };
  const refused = Object.values(counters.refused).reduce((sum, count) => sum + count, 0);
  return {
    ...figures,
    connections: {
      ...connections,
      accepted: counters.accepted,
      refused: { ...counters.refused },
      waiting: unserved.proxy + unserved.place + unserved.tls,
      stages: { ...connections.stages, ...unserved },
      closed: { ...connections.closed, server_full: refused },
    },
    tls: tls?.figures ?? figures.tls,
    lines: { ...lines, refused: { ...lines.refused, server_full: refused } },
  };
}

/** Why records are not delivered. A problem of the whole cluster comes first. */
function problemsOf(kafka: Kafka): readonly string[] {
  return distinctProblems([...kafka.readings.problems, ...kafka.orphans.problems]);
}

const NOT_CONFIGURED = {
  cause: 'not_configured',
  reason: 'KAFKA_BROKERS is empty',
  isPartial: false,
} as const;

/** Why brokers or leaders cannot be used. A login that is refused explains all that follows from it. */
function clusterTrouble({ link, cluster }: Kafka): Figures['kafka']['trouble'] {
  if (link === undefined) return NOT_CONFIGURED;
  const { trouble } = link;
  if (trouble === null || !CAUSES_OF_CLUSTER.has(trouble.cause)) return null;
  const refusal = cluster?.loginRefusal;
  return { ...troubleOf(trouble), ...(refusal && { cause: 'login', reason: refusal.message }) };
}

function troubleOf({ cause, message: reason, isPartial }: CurrentTrouble): KafkaTrouble {
  return { cause, reason, isPartial };
}

const CAUSES_OF_CLUSTER: ReadonlySet<TroubleCause> = new Set([
  'connecting',
  'login',
  'token',
  'brokers',
  'versions',
  'leaders',
]);

function topicFigures(kafka: Kafka): Figures['kafka']['topics'] {
  const { deadLetters, readings } = kafka;
  return [
    ...readings.all.map(
      ({ topic, pipeline }) =>
        ({
          topic,
          use: topic === readings.metrics.topic ? 'metrics' : 'lines',
          ...topicFiguresOf(pipeline),
        }) as const,
    ),
    ...(deadLetters.topic === null
      ? []
      : [
          { topic: deadLetters.topic, use: 'dead letters', ...topicFiguresOf(deadLetters.pipeline) } as const,
        ]),
  ];
}

export function topicFiguresOf({ link, delivery, batcher }: Pipeline): Omit<TopicFigures, 'topic' | 'use'> {
  const { failingPartitions: failing, heldPartitions: held, problems, counters } = delivery;
  return {
    partitions: batcher.partitions ?? 0,
    failing,
    held,
    states: runsOf(delivery.partitionStates),
    trouble: link === undefined ? NOT_CONFIGURED : link.trouble && troubleOf(link.trouble),
    problems,
    lastError: counters.lastError,
  };
}

const secondsOf = (ms: number | undefined): number | null => (ms === undefined ? null : ms / 1000);
