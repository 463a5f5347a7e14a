// The gateway of one process: takes sockets, turns lines into records, and answers when they are confirmed. It does not
// listen on a port and serves no admin request.
//
//   socket -> Connection -> JobQueue -> Worker -> Batcher -> Delivery -> Kafka
//              lines         bounded     records    batches    confirmed: `stored`
import type { Socket } from 'node:net';
import { startProcessStats } from '../admin/process-stats.ts';
import type { Snapshot } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import { Kafka } from '../kafka/kafka.ts';
import type { Logger } from '../log/logger.ts';
import { rateLimited } from '../log/rate-limited-log.ts';
import type { Connection } from '../server/connection.ts';
import { createServerCounters } from '../server/counters.ts';
import { ReadCoalescer } from '../server/read-coalescer.ts';
import { TcpServer, type TcpServerEvents } from '../server/tcp-server.ts';
import { createIngest } from '../workers/ingest.ts';
import { takeSnapshot } from './gateway-snapshot.ts';
import { answerRefusedRecord } from './refused-record.ts';

export interface Gateway {
  /** Resolves when it can adopt sockets. Rejects if the spool is in use or cannot be used. */
  start(): Promise<void>;
  /** A connection came in, and others may wait behind it: there is no pause before the next turn. */
  connected(): void;
  /** Serves the device behind the socket. */
  adopt(socket: Socket): Connection;
  /**
   * Finishes what was accepted, within SHUTDOWN_TIMEOUT, and closes every handle.
   * @param lateMs how long ago somebody asked for the stop: the deadlines count from then
   */
  stop(lateMs?: number): Promise<StopResult>;
  snapshot(): Snapshot;
}

export interface StopResult {
  /** True if every accepted record is confirmed or in the spool. */
  readonly complete: boolean;
  /** Accepted records, and lines read but not handled, that are neither. Unknown if a process ended without a report. */
  readonly unconfirmed: number | 'unknown';
}

export interface GatewayOptions {
  readonly log: Logger;
  readonly version: string;
  readonly events?: Pick<TcpServerEvents, 'identified' | 'closed'>;
  /** Spool directories of former processes, which this process sends to Kafka. */
  readonly orphanedParts?: readonly string[];
}

/** Share of SHUTDOWN_TIMEOUT after which the stop no longer waits for Kafka and spools the rest. */
const SOFT_SHARE = 0.5;
/** Share after which the stop no longer waits for the spool. The time left is for the `closing` replies to leave. */
const HARD_SHARE = 0.9;
const WARNING_EVERY_MS = 10_000;
/** Past SHUTDOWN_TIMEOUT, to close the files of the spool. */
const CLOSE_MS = 250;

/** Past SHUTDOWN_TIMEOUT, for a gateway that is still stopping to release the lock of its spool. */
const LOCK_MARGIN_MS = 1500;

/** @throws CodecUnavailableError if this machine lacks the codec that KAFKA_COMPRESSION names */
export function createGateway(settings: Settings, options: GatewayOptions): Gateway {
  const { log, version, events, orphanedParts = [] } = options;
  const connections = new Map<string, Connection>();
  const counters = createServerCounters();
  const kafka = new Kafka(settings, {
    recordRefused: (record, reason, deadLetters) =>
      answerRefusedRecord(record, reason, { connections, deadLetters }),
    log,
  });
  const dropped = rateLimited({ everyMs: WARNING_EVERY_MS }, (count) =>
    log.warn({ count }, 'Job queue full, dropping message'),
  );
  const ingest = createIngest(settings, kafka.batcher, { log, dropped });
  // Async codecs finish on a later turn, so pauses between reads would delay both the batch and its ack.
  const coalescesReads = settings.TCP_USE_WORKER_POOL && settings.KAFKA_ASYNC && !kafka.codec.isAsync;
  const coalescer = new ReadCoalescer(settings.KAFKA_BATCH_TIMEOUT, {
    begin: () => kafka.batcher.beginReadWindow(),
    end: (withinMs) => {
      // Batches from the disk wait for Kafka's answer to the one before. A pause would delay each of them.
      const drains = kafka.delivery.spoolingPartitions > 0 || kafka.orphans.isSending;
      return kafka.batcher.endReadWindow(withinMs) && !ingest.linesWait && !drains;
    },
    send: () => kafka.delivery.sendNow(),
  });
  const server = new TcpServer(connectionOptions(settings), {
    sink: ingest.sink,
    budget: ingest.budget,
    log,
    connections,
    counters,
    events: {
      ...events,
      ...(coalescesReads && { received: (bytes: number) => coalescer.read(bytes) }),
      refusedLine: (connection, reason, { bytes, start, end }) =>
        kafka.deadLetters.line({
          value: bytes.subarray(start, end),
          reason,
          connectionId: connection.id,
          zipcode: connection.frame?.zipcode ?? '',
          remoteAddress: connection.remoteAddress,
          receivedAtMs: Date.now(),
        }),
    },
  });
  const processStats = startProcessStats();
  let stopping = false;
  let stopped: Promise<StopResult> | undefined;
  const snapshot = () =>
    takeSnapshot({
      version,
      server,
      coalescer,
      sink: ingest.sink,
      workers: () => ingest.workers,
      kafka,
      process: processStats,
      stopping: () => stopping,
    });

  return {
    snapshot,
    connected: () => coalescer.connected(),
    adopt: (socket) => server.adopt(socket),

    async start() {
      ingest.start();
      await kafka.start({ orphanedParts, lockWaitMs: settings.SHUTDOWN_TIMEOUT + LOCK_MARGIN_MS });
      server.start();
    },

    stop(lateMs = 0) {
      stopped ??= stop(lateMs);
      return stopped;
    },
  };

  async function stop(lateMs: number): Promise<StopResult> {
    stopping = true;
    const timeoutMs = settings.SHUTDOWN_TIMEOUT;
    // However late the stop is, the spool gets its time.
    const startMs = performance.now() - Math.min(lateMs, SOFT_SHARE * timeoutMs);
    server.stopReading();
    const handled = ingest.finish();
    await settledBy(
      startMs + SOFT_SHARE * timeoutMs,
      handled.then(() => kafka.flush()),
    );
    // Does not wait for `handled` first: workers may wait for room in the buffer, and only this step makes room.
    await settledBy(startMs + HARD_SHARE * timeoutMs, kafka.flushToSpool(handled));
    const held = server.heldLines;
    // Read before kafka.close(), which clears it.
    const reason = kafka.delivery.spoolTrouble;
    await server.close((1 - HARD_SHARE) * timeoutMs);
    // The deadline is for a disk that hangs.
    await settledBy(startMs + timeoutMs + CLOSE_MS, kafka.close());
    // Counted last: a write to the disk may have succeeded until here.
    const { records, lines } = snapshot();
    const unconfirmed = records.open + records.inFlight + lines.waiting + held;
    if (unconfirmed > 0 && reason !== null)
      log.error(
        { unconfirmed, reason },
        'The spool does not take what is left. No device was told that it is stored',
      );
    processStats.stop();
    return { complete: unconfirmed === 0, unconfirmed };
  }
}

function connectionOptions(settings: Settings) {
  return {
    maxLineBytes: settings.TCP_MAX_LINE_BYTES,
    identifyTimeoutMs: settings.TCP_IDENTIFY_TIMEOUT,
    inactivityTimeoutMs: settings.TCP_INACTIVITY_TIMEOUT,
    lineTimeoutMs: settings.TCP_LINE_TIMEOUT,
    maxMessagesPerSecond: settings.TCP_MAX_MESSAGES_PER_SECOND,
    maxBytesPerSecond: settings.TCP_MAX_BYTES_PER_SECOND,
    bufferBytes: settings.TCP_BUFFER_BYTES,
  };
}

/** Resolves when the work is done, at the latest at the deadline. */
async function settledBy(deadlineMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadlineMs - performance.now()));
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
