// The gateway of one process: takes sockets, turns lines into records, and answers when they are confirmed. It does not
// listen on a port and serves no admin request.
//
//   socket -> Connection -> JobQueue -> Worker -> Batcher -> Delivery -> Kafka
//              lines         bounded     records    batches    confirmed: `stored`
import { startProcessStats } from '../admin/process-stats.ts';
import type { Figures } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import type { FileWatch } from '../files/file-watch.ts';
import { ConnectionInspector } from '../inspect/connections/inspector.ts';
import type { Answers } from '../inspect/questions.ts';
import { createCluster } from '../kafka/from-settings.ts';
import { Kafka } from '../kafka/kafka.ts';
import type { Log } from '../log/log.ts';
import { Profiler } from '../profile/profiler.ts';
import type { Connection } from '../server/connection.ts';
import type { ConnectionFacts } from '../server/connection-facts.ts';
import { createServerCounters } from '../server/counters.ts';
import type { DeparturePlan } from '../server/departures.ts';
import { ReadCoalescer } from '../server/read-coalescer.ts';
import { recordGatherer } from '../server/record-gatherer.ts';
import type { Admitted, StageHost } from '../server/stage.ts';
import { TcpServer, type TcpServerEvents } from '../server/tcp-server.ts';
import { LOCK_MARGIN_MS } from '../start/spool-place.ts';
import { LineTaps } from '../tap/line-taps.ts';
import { RefusalSamples } from '../tap/refusal-samples.ts';
import { createIngest } from '../workers/ingest.ts';
import { gatewayAnswers } from './answers.ts';
import { deviceFrames } from './device-frames.ts';
import { takeFigures } from './gateway-snapshot.ts';
import { HealthWatch } from './health-watch.ts';
import { linesSinks, linesTopic, plainLetter } from './lines-port.ts';
import { answerRefusedRecord } from './refused-record.ts';
import type { StopResult } from './stop-result.ts';
import { tokenAccess } from './token-access.ts';

export interface Gateway {
  /** Resolves when it can adopt sockets. Rejects if the spool is in use or cannot be used. */
  start(): Promise<void>;
  /** A connection came in, and others may wait behind it: there is no pause before the next turn. */
  connected(): void;
  /** Serves the device behind the source. */
  adopt(admitted: Admitted): Connection;
  /** For the stages before. */
  readonly stageHost: StageHost;
  /** Begins to tell the devices to go, one after the other. */
  depart(plan: DeparturePlan): void;
  /** Finishes what was accepted, within SHUTDOWN_TIMEOUT, and closes every handle. */
  stop(order?: StopOrder): Promise<StopResult>;
  figures(): Figures;
  /** To the questions of the admin port. */
  readonly answers: Answers;
}

export interface StopOrder {
  /** How long ago somebody asked for the stop: the deadlines count from then. */
  readonly lateMs?: number;
  /** Time over which the devices of all processes come back. Absent: that for the devices of this process. */
  readonly returnMs?: number | undefined;
}

export interface GatewayOptions {
  readonly log: Log;
  readonly version: string;
  readonly files: FileWatch;
  /** A valid content of TCP_TOKENS_FILE, in use until the file is valid. */
  readonly tokens?: string | null;
  readonly events?: Pick<TcpServerEvents, 'identified' | 'ended' | 'settled' | 'closed'>;
  /** Connections that are accepted and not served yet. */
  readonly arrivals?: () => Iterable<ConnectionFacts>;
  /** Spool directories of former processes, which this process sends to Kafka. */
  readonly orphanedParts?: readonly string[];
  /** The first process of this gateway, for the lock of the spool. Left out, this process. */
  readonly gatewayPid?: number;
}

/** Share of SHUTDOWN_TIMEOUT in which senders of plain lines may end their connections. */
const PARTING_SHARE = 0.2;
/** Share of SHUTDOWN_TIMEOUT after which the stop no longer waits for Kafka and spools the rest. */
const SOFT_SHARE = 0.5;
/** Share after which the stop no longer waits for the spool. The time left is for the `closing` replies to leave. */
const HARD_SHARE = 0.9;
/** Past SHUTDOWN_TIMEOUT, to close the files of the spool. */
const CLOSE_MS = 250;

/** @throws CodecUnavailableError if this machine lacks the codec that KAFKA_COMPRESSION names */
export function createGateway(settings: Settings, options: GatewayOptions): Gateway {
  const { log, version, files, tokens = null, events, orphanedParts = [], gatewayPid } = options;
  const { arrivals = () => [] } = options;
  const connections = new Map<string, Connection>();
  const counters = createServerCounters();
  const refusals = new RefusalSamples();
  const taps = new LineTaps();
  const profiler = new Profiler();
  const kafka = new Kafka(settings, {
    recordRefused: (record, why, deadLetters) =>
      answerRefusedRecord(record, why, { connections, deadLetters, taps }),
    log,
    cluster: createCluster(settings, { files, log }),
    gatewayPid,
  });
  const lines = log.limited();
  const dropped = () => lines.write('queue_line_dropped', {});
  const { batcher } = kafka;
  const { congestion } = batcher;
  const lineSinks = linesSinks(settings, kafka);
  const ingest = createIngest(settings, batcher, {
    congestion,
    watch: taps.watch,
    lines: lineSinks,
    log,
    dropped,
    turns: { begin: () => recordGatherer.handOn(), minMs: () => coalescer.turnMs },
  });
  // Async codecs finish on a later turn, so pauses between reads would delay both the batch and its ack.
  const coalescesReads = settings.TCP_USE_WORKER_POOL && settings.KAFKA_ASYNC && !kafka.codec.isAsync;
  const coalescer = new ReadCoalescer(settings.KAFKA_BATCH_TIMEOUT, {
    get records() {
      return kafka.readings.accepted;
    },
    get goesOn() {
      return ingest.goesOn;
    },
    begin: () => kafka.readings.beginReadWindow(),
    handOn: () => recordGatherer.handOn(),
    end: (withinMs) => {
      // Batches from the disk wait for Kafka's answer to the one before. A pause would delay each of them.
      const drains = kafka.readings.spoolingPartitions > 0 || kafka.orphans.isSending;
      return kafka.readings.endReadWindow(withinMs) && !ingest.linesWait && !drains && !server.wheel.isBehind;
    },
    send: () => kafka.readings.sendNow(),
  });
  const access = tokenAccess(settings, {
    files,
    given: tokens,
    changed: () => void server.recheckTokens(),
  });
  const server: TcpServer = new TcpServer(connectionOptions(settings), {
    sink: ingest.sink,
    budget: ingest.budget,
    log,
    connections,
    counters,
    access,
    events: {
      ...events,
      ...(coalescesReads && { received: (bytes: number) => coalescer.read(bytes) }),
      refused: (connection, refusal, line) => {
        refusals.note(connection, refusal, line);
        if (line !== undefined) taps.refused(connection, refusal, line);
      },
      refusedLine: (connection, reason, line) =>
        kafka.deadLetters.line({
          value: line.bytes.subarray(line.start, line.end),
          reason,
          topic: connection.plain === undefined ? settings.KAFKA_TOPIC_METRICS : linesTopic(settings),
          connectionId: connection.id,
          zipcode: connection.frame?.zipcode ?? '',
          remoteAddress: connection.remoteAddress,
          receivedAtMs: Date.now(),
          device: () => plainLetter(connection, line, lineSinks) ?? letterDevice(connection),
        }),
    },
  });
  const inspector = new ConnectionInspector({
    served: connections,
    arrivals,
    closed: () => server.closedConnections.values(),
  });
  const processStats = startProcessStats();
  const watch = new HealthWatch({ kafka, sink: ingest.sink, directory: settings.SPOOL_DIR });
  let stopped: Promise<StopResult> | undefined;
  const figures = () =>
    takeFigures({
      version,
      server,
      lineSinks,
      coalescer,
      sink: ingest.sink,
      workers: () => ingest.workers,
      waits: ingest.waits,
      kafka,
      process: processStats,
      watch,
    });

  return {
    figures,
    answers: gatewayAnswers({ inspector, refusals, taps, profiler }),
    connected: () => coalescer.connected(),
    adopt: (admitted) => server.adopt(admitted),
    stageHost: server,

    async start() {
      ingest.start();
      await kafka.start({ orphanedParts, lockWaitMs: settings.SHUTDOWN_TIMEOUT + LOCK_MARGIN_MS });
      server.start();
    },

    depart: (plan) => server.depart(plan),

    stop(order = {}) {
      stopped ??= stop(order);
      return stopped;
    },
  };

  async function stop({ lateMs = 0, returnMs }: StopOrder): Promise<StopResult> {
    const timeoutMs = settings.SHUTDOWN_TIMEOUT;
    // However late the stop is, the spool gets its time.
    const startMs = performance.now() - Math.min(lateMs, SOFT_SHARE * timeoutMs);
    if (counters.senders > 0) await server.part(PARTING_SHARE * timeoutMs);
    server.stopReading();
    const handled = ingest.finish();
    await settledBy(
      startMs + SOFT_SHARE * timeoutMs,
      handled.then(() => kafka.flush()),
    );
    // Does not wait for `handled` first: workers may wait for room in the buffer, and only this step makes room.
    await settledBy(startMs + HARD_SHARE * timeoutMs, kafka.flushToSpool(handled));
    const held = server.heldLines;
    // Read before kafka.close(), which clears them.
    const reason = kafka.readings.spoolTrouble;
    const spoolBytes = kafka.spoolCap.bytes;
    await server.close((1 - HARD_SHARE) * timeoutMs, returnMs);
    // The deadline is for a disk that hangs.
    await settledBy(startMs + timeoutMs + CLOSE_MS, kafka.close());
    // Counted last: a write to the disk may have succeeded until here.
    const { records, lines } = figures();
    const unconfirmed = records.open + records.inFlight + lines.waiting + held;
    processStats.stop();
    watch.stop();
    profiler.stop();
    const refusal = unconfirmed > 0 ? reason : null;
    return { complete: unconfirmed === 0, unconfirmed, refusal, records, spoolBytes };
  }
}

function letterDevice({ frame, deviceId }: Connection) {
  return frame && { city: frame.city, deviceId, tags: frame.tags, key: frame.key };
}

function connectionOptions(settings: Settings) {
  return {
    maxLineBytes: settings.TCP_MAX_LINE_BYTES,
    // The Go server had one limit for all lines.
    ...(settings.TCP_COMPATIBILITY === 'go' && { maxIdentifyBytes: settings.TCP_MAX_LINE_BYTES }),
    identifyTimeoutMs: settings.TCP_IDENTIFY_TIMEOUT,
    inactivityTimeoutMs: settings.TCP_INACTIVITY_TIMEOUT,
    lineTimeoutMs: settings.TCP_LINE_TIMEOUT,
    maxAgeMs: settings.TCP_MAX_CONNECTION_AGE,
    warnsUnknownFields: settings.TCP_STRICT === 'warn',
    requiresDeviceId: settings.TCP_IDENTIFY.includes('device_id'),
    frameOf: deviceFrames(settings),
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
