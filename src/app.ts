// The whole gateway on one screen: what there is, who knows whom, and the order of start and stop.
//
//   socket -> Connection -> JobQueue -> Worker -> Batcher -> Delivery -> Kafka
//              lines         bounded     records    batches    confirmed: `stored`
import type { AddressInfo } from 'node:net';
import { createAdminServer } from './admin/http-server.ts';
import { startProcessStats } from './admin/process-stats.ts';
import type { Snapshot } from './admin/snapshot.ts';
import { startStatsLog } from './admin/stats-line.ts';
import type { Logger } from './config/logger.ts';
import type { Settings } from './config/settings.ts';
import { takeSnapshot } from './gateway-snapshot.ts';
import { createKafka } from './kafka/kafka.ts';
import { answerRefusedRecord } from './refused-record.ts';
import { connectionCap, openFilesLimit } from './server/limits.ts';
import { TcpServer, type TcpServerOptions } from './server/tcp-server.ts';
import { createExecutor } from './workers/executor.ts';

export interface App {
  /** Resolves once devices are served; rejects with the system's or the setting's error. */
  start(): Promise<Addresses>;
  /** Finishes what was accepted, within SHUTDOWN_TIMEOUT, and leaves no handle open. */
  stop(): Promise<StopResult>;
  snapshot(): Snapshot;
}

export interface Addresses {
  readonly tcp: AddressInfo;
  /** Null where HTTP_PORT is empty. */
  readonly http: AddressInfo | null;
}

export interface StopResult {
  /** False where SHUTDOWN_TIMEOUT passed before every accepted record was confirmed or in the spool. */
  readonly complete: boolean;
  readonly unconfirmed: number;
}

/** SHUTDOWN_TIMEOUT in parts: until here Kafka is waited for, */
const SOFT_SHARE = 0.5;
/** until here what is left goes to the spool, and the rest is for goodbyes: replies need a moment to leave. */
const HARD_SHARE = 0.9;

/** @throws CodecUnavailableError where KAFKA_COMPRESSION cannot be had here */
export function createApp(settings: Settings, { log, version }: { log: Logger; version: string }): App {
  const kafka = createKafka(
    settings,
    { recordRefused: (record, reason) => answerRefusedRecord(record, reason, { server, kafka }) },
    log,
  );
  const executor = createExecutor(settings, kafka.batcher, log);
  const server = new TcpServer(serverOptions(settings, log), {
    sink: executor.sink,
    log,
    onRefusedLine: (connection, reason, { bytes, start, end }) =>
      kafka.deadLetters?.line({
        value: bytes.subarray(start, end),
        reason,
        connectionId: connection.id,
        zipcode: connection.identified ? connection.frame.zipcode : '',
        remoteAddress: connection.remoteAddress,
        receivedAtMs: Date.now(),
      }),
  });
  const processStats = startProcessStats();
  let stopping = false;
  const snapshot = () =>
    takeSnapshot({
      version,
      server,
      sink: executor.sink,
      workers: () => executor.workers,
      kafka,
      process: processStats,
      stopping: () => stopping,
    });
  const admin =
    settings.HTTP_PORT === null
      ? null
      : createAdminServer({ host: settings.HTTP_HOST, port: settings.HTTP_PORT, snapshot, log });
  let statsLog: { stop(): void } | undefined;

  return {
    snapshot,

    async start() {
      executor.start();
      const http = admin === null ? null : await admin.start();
      if (http !== null) log.info(`Admin HTTP listening on ${addressText(http)}`);
      await kafka.start();
      const tcp = await server.listen();
      log.info(`TCP server listening on ${addressText(tcp)}`);
      statsLog = startStatsLog({ intervalMs: settings.STATS_INTERVAL, snapshot, log });
      return { tcp, http };
    },

    async stop() {
      stopping = true;
      const startMs = performance.now();
      const timeoutMs = settings.SHUTDOWN_TIMEOUT;
      server.stopAccepting();
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
      statsLog?.stop();
      await kafka.close();
      processStats.stop();
      await admin?.close();
      return { complete: unconfirmed === 0, unconfirmed };
    },
  };
}

function serverOptions(settings: Settings, log: Logger): TcpServerOptions {
  const asked = settings.TCP_MAX_CONNECTIONS;
  const maxConnections = connectionCap(asked, openFilesLimit());
  if (maxConnections < asked) {
    log.warn(
      { asked, maxConnections },
      'TCP_MAX_CONNECTIONS lowered: the limit on open files (ulimit -n) allows no more',
    );
  }
  return {
    host: settings.TCP_HOST,
    port: settings.TCP_PORT,
    maxConnections,
    maxConnectionsPerIp: settings.TCP_MAX_CONNECTIONS_PER_IP,
    keepaliveMs: settings.TCP_KEEPALIVE,
    maxLineBytes: settings.TCP_MAX_LINE_BYTES,
    identifyTimeoutMs: settings.TCP_IDENTIFY_TIMEOUT,
    inactivityTimeoutMs: settings.TCP_INACTIVITY_TIMEOUT,
    lineTimeoutMs: settings.TCP_LINE_TIMEOUT,
    // One message at a time has no queue that could be full: the next one waits its turn.
    queueFull: settings.TCP_USE_WORKER_POOL ? settings.TCP_JOB_QUEUE_FULL : 'pause',
  };
}

function addressText({ address, family, port }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}

async function settledBy(deadlineMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadlineMs - performance.now()));
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
