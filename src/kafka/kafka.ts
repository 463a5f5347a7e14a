// The Kafka side wired up from the settings: from an appended record to its confirmation.
import { readFileSync } from 'node:fs';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Logger } from 'pino';
import { durationText } from '../config/kinds.ts';
import type { Settings } from '../config/settings.ts';
import { messageBytes } from '../config/shares.ts';
import { DEAD_LETTERS_NAME, deadLettersDirectory } from '../spool/parts.ts';
import { Spool, type SpoolOptions } from '../spool/spool.ts';
import { SpoolCap } from '../spool/spool-cap.ts';
import type { TopicSpool } from '../spool/topic-spool.ts';
import { BufferBudget } from './batches/buffer-budget.ts';
import { type Codec, createCodec } from './batches/compression.ts';
import type { RefusedRecord } from './batches/split-batch.ts';
import { KafkaCluster } from './client/cluster.ts';
import type { SaslOptions } from './client/kafkajs.ts';
import { createDeadLetterPipeline } from './pipelines/dead-letter-pipeline.ts';
import { DeadLetters, NO_LETTERS_LINK } from './pipelines/dead-letters.ts';
import { OrphanedSpools } from './pipelines/orphaned-spools.ts';
import {
  closePipeline,
  createDiskPipeline,
  createPipeline,
  type Pipeline,
  startPipeline,
  topicToCreate,
  useSpool,
} from './pipelines/pipeline.ts';

export interface Kafka extends Pipeline {
  readonly cluster: KafkaCluster | undefined;
  readonly codec: Codec;
  readonly deadLetters: DeadLetters;
  /** Of KAFKA_TOPIC_METRICS, in the part of this process. Set by start(). */
  readonly spool: TopicSpool | undefined;
  /** Of all readings on disk that this process sends. */
  readonly spoolCap: SpoolCap;
  /** Records of KAFKA_TOPIC_METRICS that an earlier process left in this process's part of the spool. */
  readonly recovered: number;
  /** All others that are on disk. */
  readonly orphans: OrphanedSpools;
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
  readonly orphanedParts?: readonly string[];
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

/**
 * @param cluster another one than the settings name, for tests
 * @throws CodecUnavailableError if KAFKA_COMPRESSION cannot be had here
 */
export function createKafka(
  settings: Settings,
  events: KafkaEvents,
  log: Logger,
  cluster: KafkaCluster | undefined = createCluster(settings, log),
): Kafka {
  const codec = createCodec(settings.KAFKA_COMPRESSION);
  const context = { settings, codec, cluster, log };
  const readingsSpool = spoolOptions(settings, readingsCap(settings), log);
  const lettersSpool = spoolOptions(settings, lettersCap(settings), log);
  const metrics = createPipeline({
    ...context,
    topic: settings.KAFKA_TOPIC_METRICS,
    budget: new BufferBudget(settings.KAFKA_BUFFER_BYTES, messageBytes(settings)),
    others: [topicToCreate(settings, settings.KAFKA_TOPIC_ALARMS, ALARM_PARTITIONS)],
    quiet: false,
    recordRefused: events.recordRefused,
  });
  const dead = createDeadLetterPipeline(context);
  const hasLettersTopic = settings.KAFKA_TOPIC_DEAD_LETTERS !== null;
  const deadLetters = new DeadLetters(dead, { hasTopic: hasLettersTopic, cap: lettersSpool.cap }, log);
  const orphans = new OrphanedSpools({
    readings: {
      spoolOptions: readingsSpool,
      createPipeline: (topic) => createDiskPipeline(context, topic, events.recordRefused),
      blocked: cluster === undefined ? 'KAFKA_BROKERS is empty' : null,
    },
    letters: {
      spoolOptions: lettersSpool,
      createPipeline: () => createDeadLetterPipeline(context),
      blocked: cluster === undefined || !hasLettersTopic ? NO_LETTERS_LINK : null,
    },
    currentTopic: settings.KAFKA_TOPIC_METRICS,
    isConnected: () => cluster?.connected ?? false,
    log,
  });
  const parts: Spool[] = [];
  let spool: TopicSpool | undefined;
  let recovered = 0;
  let starting: Promise<void> = Promise.resolve();
  const closing = new AbortController();
  log.info(
    `Kafka producer initialized (batch=${settings.KAFKA_BATCH_SIZE}, compression=${settings.KAFKA_COMPRESSION}, async=${settings.KAFKA_ASYNC})`,
  );

  async function open(options: SpoolOptions, what: string, lockWaitMs: number): Promise<Spool> {
    const { directory } = options;
    const opened = await Spool.open(options, {
      timeoutMs: lockWaitMs,
      signal: closing.signal,
      onWait: (pid) =>
        log.warn(
          { holder: pid, directory },
          `SPOOL_DIR is in use by pid ${pid ?? 'unknown'}: waiting up to ${durationText(lockWaitMs)} for that process to end`,
        ),
    });
    parts.push(opened.spool);
    closing.signal.throwIfAborted();
    const { records, badBatches, cutBytes } = opened.report;
    if (records + badBatches + cutBytes > 0)
      log.info({ ...opened.report }, `Spool: ${records} ${what} of an earlier run are waiting for Kafka`);
    return opened.spool;
  }

  async function start({ orphanedParts = [], lockWaitMs = 0 }: KafkaStart): Promise<void> {
    const directory = settings.SPOOL_DIR;
    const own = await open({ ...readingsSpool, directory }, 'records', lockWaitMs);
    const current = await own.topic(settings.KAFKA_TOPIC_METRICS);
    // In one turn, so that all that was found counts from one moment on.
    spool = current;
    recovered = current.records;
    useSpool(metrics, current);
    orphans.adopt(own);
    // Before the first reading is sent: a reading that Kafka refuses waits for its letter.
    const lettersDirectory = deadLettersDirectory(directory);
    const letters = await open({ ...lettersSpool, directory: lettersDirectory }, 'dead letters', lockWaitMs);
    deadLetters.useSpool(await letters.topic(DEAD_LETTERS_NAME));
    closing.signal.throwIfAborted();
    if (metrics.link === undefined)
      log.warn('KAFKA_BROKERS is empty: records stay in the spool until brokers are configured');
    startPipeline(metrics);
    deadLetters.start();
    await orphans.start(orphanedParts);
  }

  return {
    ...metrics,
    cluster,
    codec,
    orphans,
    deadLetters,
    spoolCap: readingsSpool.cap,
    get spool() {
      return spool;
    },
    get recovered() {
      return recovered;
    },
    start(options = {}) {
      starting = start(options);
      return starting;
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
      // A start may be in the middle of opening a part.
      await Promise.all([orphans.close(), starting.catch(() => undefined)]);
      cluster?.close();
      await Promise.all([metrics, dead].map(closePipeline));
      for (const part of parts) await part.close();
    },
  };
}

/** Undefined if KAFKA_BROKERS is empty. */
export function createCluster(settings: Settings, log: Logger): KafkaCluster | undefined {
  return settings.KAFKA_BROKERS.length === 0 ? undefined : new KafkaCluster(clusterOptions(settings), log);
}

/** What readings take on disk, or may take. */
export function readingsCap(settings: Settings): SpoolCap {
  return new SpoolCap(settings.SPOOL_MAX_BYTES, 'SPOOL_MAX_BYTES');
}

/** The same of dead letters. */
export function lettersCap(settings: Settings): SpoolCap {
  return new SpoolCap(settings.SPOOL_DEAD_BYTES, 'SPOOL_DEAD_BYTES');
}

export function spoolOptions(
  settings: Settings,
  cap: SpoolCap,
  log: Logger,
): Omit<SpoolOptions, 'directory'> {
  return {
    remark: ({ level, text }, directory) => log[level]({ directory }, `Spool: ${text}`),
    cap,
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
