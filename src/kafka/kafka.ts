// The Kafka side wired up from the settings: from an appended record to its confirmation.
import { readFileSync } from 'node:fs';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Logger } from 'pino';
import { durationText } from '../config/kinds.ts';
import type { Settings } from '../config/settings.ts';
import { messageBytes } from '../config/shares.ts';
import type { LockWait } from '../spool/lock.ts';
import { deadLettersDirectory } from '../spool/parts.ts';
import { Spool } from '../spool/spool.ts';
import { BufferBudget } from './buffer-budget.ts';
import { KafkaCluster } from './cluster.ts';
import { type Codec, createCodec } from './compression.ts';
import { createDeadLetterPipeline, deadSpoolOptions } from './dead-letter-pipeline.ts';
import { DeadLetters } from './dead-letters.ts';
import type { SaslOptions } from './kafkajs.ts';
import { Leftovers } from './leftovers.ts';
import { createPipeline, type Pipeline, topicToCreate } from './pipeline.ts';
import type { RefusedRecord } from './split-batch.ts';

export interface Kafka extends Pipeline {
  readonly cluster: KafkaCluster | undefined;
  readonly codec: Codec;
  readonly deadLetters: DeadLetters;
  /** Set by start(). */
  readonly spool: Spool | undefined;
  /** Records an earlier process left in the spool. */
  readonly recovered: number;
  readonly leftovers: Leftovers;
  /** Opens the spool and begins to look for Kafka. Rejects if the spool is in use or cannot be used, or after close(). */
  start(options?: KafkaStart): Promise<void>;
  /** Sends what is open and resolves when all of it is confirmed or on disk; it can take as long as Kafka does. */
  flush(): Promise<void>;
  /**
   * Leaves Kafka: from now on every record goes to the disk, also one that is appended later. Resolves when `appended`
   * has, which says that none will be appended any more, and nothing is left in memory.
   */
  flushToSpool(appended: Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export interface KafkaStart {
  /** Spool directories of former processes. */
  readonly leftovers?: readonly string[];
  /** How long to wait for another process that has the spool. */
  readonly lockWaitMs?: number;
}

export interface KafkaEvents {
  /**
   * Kafka refused a record that had been accepted. Resolves when its dead letter is durable; until then the record
   * stays where it is.
   */
  recordRefused(record: RefusedRecord, reason: string): Promise<void>;
}

const ALARM_PARTITIONS = 1;

/** @throws CodecUnavailableError where KAFKA_COMPRESSION cannot be had here */
export function createKafka(settings: Settings, events: KafkaEvents, log: Logger): Kafka {
  const codec = createCodec(settings.KAFKA_COMPRESSION);
  const cluster = createCluster(settings, log);
  const shared = { settings, codec, cluster, log };
  const metrics = createPipeline({
    ...shared,
    topic: settings.KAFKA_TOPIC_METRICS,
    budget: new BufferBudget(settings.KAFKA_BUFFER_BYTES, messageBytes(settings)),
    others: [topicToCreate(settings, settings.KAFKA_TOPIC_ALARMS, ALARM_PARTITIONS)],
    quiet: false,
    recordRefused: events.recordRefused,
  });
  const openLetters = () => createDeadLetterPipeline(settings, shared);
  const dead = openLetters();
  const deadLetters = new DeadLetters(
    dead,
    {
      hasTopic: settings.KAFKA_TOPIC_DEAD_LETTERS !== null,
      maxDiskBytes: settings.SPOOL_DEAD_BYTES,
    },
    log,
  );
  const leftovers = new Leftovers({
    readings: {
      spoolOptions: spoolOptions(settings),
      open: () =>
        createPipeline({
          ...shared,
          topic: settings.KAFKA_TOPIC_METRICS,
          // Its batches come from the disk, and none is gathered.
          budget: new BufferBudget(0, 0),
          others: [],
          quiet: true,
          recordRefused: events.recordRefused,
        }),
    },
    letters: { spoolOptions: deadSpoolOptions(settings), open: openLetters },
    log,
  });
  let spool: Spool | undefined;
  let recovered = 0;
  const closing = new AbortController();
  log.info(
    `Kafka producer initialized (batch=${settings.KAFKA_BATCH_SIZE}, compression=${settings.KAFKA_COMPRESSION}, async=${settings.KAFKA_ASYNC})`,
  );
  return {
    ...metrics,
    cluster,
    codec,
    leftovers,
    deadLetters,
    get spool() {
      return spool;
    },
    get recovered() {
      return recovered;
    },
    async start({ leftovers: leftoverDirectories = [], lockWaitMs = 0 } = {}) {
      const directory = settings.SPOOL_DIR;
      const lockWait = {
        timeoutMs: lockWaitMs,
        signal: closing.signal,
        onWait: (pid: number | undefined) =>
          log.warn(
            { holder: pid, directory },
            `SPOOL_DIR is in use by pid ${pid ?? 'unknown'}: waiting up to ${durationText(lockWaitMs)} for that process to end`,
          ),
      };
      const opened = await Spool.open({ ...spoolOptions(settings), directory }, lockWait);
      if (closing.signal.aborted) {
        await opened.spool.close();
        closing.signal.throwIfAborted();
      }
      spool = opened.spool;
      recovered = opened.report.records;
      if (recovered > 0 || opened.report.badBatches > 0 || opened.report.cutBytes > 0) {
        log.info({ ...opened.report }, `Spool: ${recovered} records of an earlier run are waiting for Kafka`);
      }
      // What is there was placed for so many partitions; new batches go the same way until Kafka says better.
      const placedFor = spool.layout.current?.partitions;
      if (placedFor !== undefined) metrics.batcher.assume(placedFor);
      else await spool.layout.set({ partitions: metrics.batcher.partitions, known: false });
      await metrics.delivery.useSpool(spool);
      // Before the first reading is sent: a reading that Kafka refuses waits for its letter.
      await deadLetters.useSpool(await openDeadSpool(settings, lockWait, log));
      if (metrics.link === undefined) {
        log.warn('KAFKA_BROKERS is empty: records stay in the spool until brokers are configured');
        metrics.delivery.unreachable();
      }
      metrics.link?.start();
      deadLetters.start();
      await leftovers.start(leftoverDirectories);
    },
    async flush() {
      metrics.batcher.flush();
      dead.batcher.flush();
      // Dead letters are not worth waiting for a Kafka that is away: the next step puts them on disk.
      const letters = dead.link?.problem === null ? dead.delivery.drained() : undefined;
      await Promise.all([metrics.delivery.drained(), letters]);
    },
    async flushToSpool(appended) {
      const pipelines = [metrics, dead];
      for (const { link } of pipelines) link?.close();
      cluster?.close();
      const spoolAll = () =>
        Promise.all(
          pipelines.map(({ batcher, delivery }) => {
            batcher.flush();
            return delivery.spoolAll();
          }),
        );
      // Twice: this makes the room that whoever still appends waits for.
      await Promise.all([spoolAll(), appended]);
      await spoolAll();
    },
    async close() {
      closing.abort();
      await leftovers.close();
      for (const pipeline of [metrics, dead]) {
        pipeline.link?.close();
        pipeline.batcher.stop();
        pipeline.budget.close();
      }
      cluster?.close();
      await Promise.all([metrics.delivery.close(), dead.delivery.close()]);
    },
  };
}

/** Undefined if KAFKA_BROKERS is empty. */
export function createCluster(settings: Settings, log: Logger): KafkaCluster | undefined {
  return settings.KAFKA_BROKERS.length === 0 ? undefined : new KafkaCluster(clusterOptions(settings), log);
}

async function openDeadSpool(settings: Settings, lockWait: LockWait, log: Logger): Promise<Spool> {
  const directory = deadLettersDirectory(settings.SPOOL_DIR);
  const { spool, report } = await Spool.open({ ...deadSpoolOptions(settings), directory }, lockWait);
  if (report.records > 0 || report.badBatches > 0 || report.cutBytes > 0)
    log.info({ ...report }, `Spool: ${report.records} dead letters of an earlier run are waiting for Kafka`);
  return spool;
}

function spoolOptions(settings: Settings) {
  return {
    topic: settings.KAFKA_TOPIC_METRICS,
    maxBytes: settings.SPOOL_MAX_BYTES,
    segmentBytes: settings.SPOOL_SEGMENT_BYTES,
    sync: settings.SPOOL_SYNC,
    partitions: settings.KAFKA_NUM_PARTITIONS,
  };
}

function clusterOptions(settings: Settings) {
  return {
    brokers: settings.KAFKA_BROKERS,
    clientId: settings.KAFKA_CLIENT_ID,
    ssl: tlsOptions(settings),
    sasl: saslOptions(settings),
    requestTimeoutMs: settings.KAFKA_REQUEST_TIMEOUT,
  };
}

function tlsOptions(settings: Settings): TlsOptions | undefined {
  if (!settings.KAFKA_SSL) return undefined;
  const file = (path: string | null) => (path === null ? undefined : readFileSync(path));
  const options = {
    ca: file(settings.KAFKA_SSL_CA),
    cert: file(settings.KAFKA_SSL_CERT),
    key: file(settings.KAFKA_SSL_KEY),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function saslOptions(settings: Settings): SaslOptions | undefined {
  const {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  } = settings;
  if (mechanism === null || username === null || password === null) return undefined;
  return { mechanism, username, password };
}
