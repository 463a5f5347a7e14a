// What one process does for its devices: lines in, records confirmed. Where sockets come from, and who asks for
// figures, is not its business.
//
//   socket -> Connection -> JobQueue -> Worker -> Batcher -> Delivery -> Kafka
//              lines         bounded     records    batches    confirmed: `stored`
import type { Socket } from 'node:net';
import { startProcessStats } from '../admin/process-stats.ts';
import type { Snapshot } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import { Kafka } from '../kafka/kafka.ts';
import type { Logger } from '../log/logger.ts';
import type { Connection } from '../server/connection.ts';
import { ReadCoalescer } from '../server/read-coalescer.ts';
import { TcpServer, type TcpServerEvents } from '../server/tcp-server.ts';
import { createIngest } from '../workers/ingest.ts';
import { takeSnapshot } from './gateway-snapshot.ts';
import { answerRefusedRecord } from './refused-record.ts';

export interface Gateway {
  /** Resolves once devices may come; rejects with the system's or the setting's error. */
  start(): Promise<void>;
  /** Serves the device behind the socket. */
  adopt(socket: Socket): Connection;
  /**
   * Finishes what was accepted, within SHUTDOWN_TIMEOUT, and leaves no handle open.
   * @param lateMs how long ago the stop was asked for: its deadlines count from then
   */
  stop(lateMs?: number): Promise<StopResult>;
  snapshot(): Snapshot;
}

export interface StopResult {
  /** True if every accepted record is confirmed or in the spool. */
  readonly complete: boolean;
  /** Records, and lines that were read and not handled, that are neither. Unknown if a process died before it told. */
  readonly unconfirmed: number | 'unknown';
}

export interface GatewayOptions {
  readonly log: Logger;
  readonly version: string;
  readonly events?: Pick<TcpServerEvents, 'identified' | 'closed'>;
  /** Spool directories of processes that are no more, to be sent from here. */
  readonly orphanedParts?: readonly string[];
}

/** Share of SHUTDOWN_TIMEOUT after which the stop no longer waits for Kafka: the spool takes what is left. */
const SOFT_SHARE = 0.5;
/** Share after which the stop no longer waits for the spool. The rest is for goodbyes: replies need a moment to leave. */
const HARD_SHARE = 0.9;
/** Beyond SHUTDOWN_TIMEOUT, for closing the spool's files. */
const CLOSE_MS = 250;

/** Beyond SHUTDOWN_TIMEOUT, for a predecessor that is still stopping to let go of its spool. */
const LOCK_MARGIN_MS = 1500;

/** @throws CodecUnavailableError where KAFKA_COMPRESSION cannot be had here */
export function createGateway(settings: Settings, options: GatewayOptions): Gateway {
  const { log, version, events, orphanedParts = [] } = options;
  const kafka: Kafka = new Kafka(settings, {
    recordRefused: (record, reason) => answerRefusedRecord(record, reason, { server, kafka }),
    log,
  });
  const ingest = createIngest(settings, kafka.batcher, log);
  // One message at a time, which is kept for comparison, is read as it was. A codec beside the event loop would have
  // each batch wait for the end of a rest, and its answer for that of another.
  const coalescesReads = settings.TCP_USE_WORKER_POOL && settings.KAFKA_ASYNC && !kafka.codec.isAsync;
  const server: TcpServer = new TcpServer(connectionOptions(settings), {
    sink: ingest.sink,
    log,
    events: {
      ...events,
      ...(coalescesReads && { received: (bytes: number) => coalescer.read(bytes) }),
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
  const coalescer = new ReadCoalescer(settings.KAFKA_BATCH_TIMEOUT, {
    begin: () => kafka.batcher.beginReadWindow(),
    end: (withinMs) => {
      const linesWait = ingest.sink.stats.depth > 0 || server.counters.paused > 0;
      // From the disk each batch goes when Kafka has answered for the one before.
      const drains = kafka.delivery.spoolingPartitions > 0 || kafka.orphans.isSending;
      return kafka.batcher.endReadWindow(withinMs) && !linesWait && !drains;
    },
    send: () => kafka.delivery.sendNow(),
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
    // However late it is, the spool gets its time.
    const startMs = performance.now() - Math.min(lateMs, SOFT_SHARE * timeoutMs);
    server.stopReading();
    const handled = ingest.finish();
    await settledBy(
      startMs + SOFT_SHARE * timeoutMs,
      handled.then(() => kafka.flush()),
    );
    // Not after `handled`: workers may be waiting for room in the buffer, and only this step makes room.
    await settledBy(startMs + HARD_SHARE * timeoutMs, kafka.flushToSpool(handled));
    const held = server.heldLines;
    // Before the spool is closed, which ends its troubles.
    const reason = kafka.delivery.spoolTrouble;
    await server.close((1 - HARD_SHARE) * timeoutMs);
    // A disk that hangs must not hold the process.
    await settledBy(startMs + timeoutMs + CLOSE_MS, kafka.close());
    // Counted last: until here a write to the disk may still have ended well.
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
    // One message at a time has no queue that could be full: the next one waits its turn.
    queueFull: settings.TCP_USE_WORKER_POOL ? settings.TCP_JOB_QUEUE_FULL : ('pause' as const),
  };
}

/** Waits for the work, but not beyond the deadline. */
async function settledBy(deadlineMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadlineMs - performance.now()));
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
