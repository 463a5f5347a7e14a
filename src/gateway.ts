// What one process does for its devices: lines in, records confirmed. Where sockets come from, and who asks for
// figures, is not its business.
//
//   socket -> Connection -> JobQueue -> Worker -> Batcher -> Delivery -> Kafka
//              lines         bounded     records    batches    confirmed: `stored`
import type { Socket } from 'node:net';
import { startProcessStats } from './admin/process-stats.ts';
import type { Snapshot } from './admin/snapshot.ts';
import type { Logger } from './config/logger.ts';
import type { Settings } from './config/settings.ts';
import { takeSnapshot } from './gateway-snapshot.ts';
import { createKafka } from './kafka/kafka.ts';
import { answerRefusedRecord } from './refused-record.ts';
import type { Connection } from './server/connection.ts';
import { ReadPacer } from './server/read-pacer.ts';
import { TcpServer, type TcpServerEvents } from './server/tcp-server.ts';
import { createExecutor } from './workers/executor.ts';

export interface Gateway {
  /** Resolves once devices may come; rejects with the system's or the setting's error. */
  start(): Promise<void>;
  /** Serves the device behind the socket. */
  adopt(socket: Socket): Connection;
  /** Finishes what was accepted, within SHUTDOWN_TIMEOUT, and leaves no handle open. */
  stop(): Promise<StopResult>;
  snapshot(): Snapshot;
}

export interface StopResult {
  /** False where SHUTDOWN_TIMEOUT passed before every accepted record was confirmed or in the spool. */
  readonly complete: boolean;
  readonly unconfirmed: number;
}

export interface GatewayOptions {
  readonly log: Logger;
  readonly version: string;
  readonly events?: Pick<TcpServerEvents, 'identified' | 'closed'>;
  /** Spool directories of processes that are no more, to be sent from here. */
  readonly leftovers?: readonly string[];
}

/** SHUTDOWN_TIMEOUT in parts: until here Kafka is waited for, */
const SOFT_SHARE = 0.5;
/** until here what is left goes to the spool, and the rest is for goodbyes: replies need a moment to leave. */
const HARD_SHARE = 0.9;

/** @throws CodecUnavailableError where KAFKA_COMPRESSION cannot be had here */
export function createGateway(settings: Settings, options: GatewayOptions): Gateway {
  const { log, version, events, leftovers = [] } = options;
  const kafka = createKafka(
    settings,
    { recordRefused: (record, reason) => answerRefusedRecord(record, reason, { server, kafka }) },
    log,
  );
  const executor = createExecutor(settings, kafka.batcher, log);
  // One message at a time, which is kept for comparison, is read as it was. A codec beside the event loop would have
  // each batch wait for the end of a rest, and its answer for that of another.
  const isPaced = settings.TCP_USE_WORKER_POOL && settings.KAFKA_ASYNC && !kafka.codec.beside;
  const server: TcpServer = new TcpServer(connectionOptions(settings), {
    sink: executor.sink,
    log,
    events: {
      ...events,
      ...(isPaced && { received: (bytes: number) => pacer.read(bytes) }),
      refusedLine: (connection, reason, { bytes, start, end }) =>
        kafka.deadLetters.line({
          value: bytes.subarray(start, end),
          reason,
          connectionId: connection.id,
          zipcode: connection.identified ? connection.frame.zipcode : '',
          remoteAddress: connection.remoteAddress,
          receivedAtMs: Date.now(),
        }),
    },
  });
  const pacer = new ReadPacer(settings.KAFKA_BATCH_TIMEOUT, {
    begin: () => kafka.batcher.beginRound(),
    end: (withinMs) => {
      const linesWait = executor.sink.stats.depth > 0 || server.counters.paused > 0;
      // From the disk each batch goes when Kafka has answered for the one before.
      const drains = kafka.delivery.spoolingPartitions > 0 || kafka.leftovers.records.spooled > 0;
      return kafka.batcher.endRound(withinMs) && !linesWait && !drains;
    },
    send: () => kafka.delivery.sendNow(),
  });
  const processStats = startProcessStats();
  let stopping = false;
  const snapshot = () =>
    takeSnapshot({
      version,
      server,
      pacer,
      sink: executor.sink,
      workers: () => executor.workers,
      kafka,
      process: processStats,
      stopping: () => stopping,
    });

  return {
    snapshot,
    adopt: (socket) => server.adopt(socket),

    async start() {
      executor.start();
      await kafka.start(leftovers);
      server.start();
    },

    async stop() {
      stopping = true;
      const startMs = performance.now();
      const timeoutMs = settings.SHUTDOWN_TIMEOUT;
      server.stopReading();
      const handled = executor.finish();
      // First the soft way, all of it confirmed by Kafka; what is left then goes to the disk.
      await settledBy(
        startMs + SOFT_SHARE * timeoutMs,
        handled.then(() => kafka.flush()),
      );
      await settledBy(
        startMs + HARD_SHARE * timeoutMs,
        handled.then(() => kafka.flushToSpool()),
      );
      const { records, lines } = snapshot();
      const unconfirmed = records.open + records.inFlight + lines.waiting;
      await server.close((1 - HARD_SHARE) * timeoutMs);
      await kafka.close();
      processStats.stop();
      return { complete: unconfirmed === 0, unconfirmed };
    },
  };
}

function connectionOptions(settings: Settings) {
  return {
    maxLineBytes: settings.TCP_MAX_LINE_BYTES,
    identifyTimeoutMs: settings.TCP_IDENTIFY_TIMEOUT,
    inactivityTimeoutMs: settings.TCP_INACTIVITY_TIMEOUT,
    lineTimeoutMs: settings.TCP_LINE_TIMEOUT,
    // One message at a time has no queue that could be full: the next one waits its turn.
    queueFull: settings.TCP_USE_WORKER_POOL ? settings.TCP_JOB_QUEUE_FULL : ('pause' as const),
  };
}

async function settledBy(deadlineMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadlineMs - performance.now()));
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
