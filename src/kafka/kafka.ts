// The Kafka side wired up from the settings: from an appended record to its confirmation.
import { readFileSync } from 'node:fs';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
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
  /**
   * Opens the spool and begins to look for Kafka. Rejects where the spool is in use or cannot be used.
   * @param leftovers spool directories of former processes
   */
  start(leftovers?: readonly string[]): Promise<void>;
  /** Sends what is open and resolves when all of it is confirmed or on disk; it can take as long as Kafka does. */
  flush(): Promise<void>;
  /** Leaves Kafka and moves what is left in memory to the disk. */
  flushToSpool(): Promise<void>;
  close(): Promise<void>;
}

export interface KafkaEvents {
  /**
   * Kafka refused a record that had been accepted. Resolves when its dead letter is durable; until then the record
   * stays where it is.
   */
  recordRefused(record: RefusedRecord, reason: string): Promise<void>;
}

/** What 1000 readings of one message may add to their line: the record around each. */
const BATCH_MESSAGE_FRAMES = 1000 * 1024;
const LINE_GROWTH = 3;
const ALARM_PARTITIONS = 1;

/** @throws CodecUnavailableError where KAFKA_COMPRESSION cannot be had here */
export function createKafka(settings: Settings, events: KafkaEvents, log: Logger): Kafka {
  const codec = createCodec(settings.KAFKA_COMPRESSION);
  const cluster = createCluster(settings, log);
  const reserve = LINE_GROWTH * settings.TCP_MAX_LINE_BYTES + BATCH_MESSAGE_FRAMES;
  const shared = { settings, codec, cluster, log };
  const metrics = createPipeline({
    ...shared,
    topic: settings.KAFKA_TOPIC_METRICS,
    budget: new BufferBudget(settings.KAFKA_BUFFER_BYTES, reserve),
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
    async start(leftoverDirectories = []) {
      const opened = await Spool.open({ ...spoolOptions(settings), directory: settings.SPOOL_DIR });
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
      await deadLetters.useSpool(await openDeadSpool(settings, log));
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
    async flushToSpool() {
      metrics.link?.close();
      dead.link?.close();
      cluster?.close();
      metrics.batcher.flush();
      dead.batcher.flush();
      // Side by side: a refused reading in memory waits for its letter.
      await Promise.all([metrics.delivery.spoolAll(), dead.delivery.spoolAll()]);
    },
    async close() {
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

async function openDeadSpool(settings: Settings, log: Logger): Promise<Spool> {
  const directory = deadLettersDirectory(settings.SPOOL_DIR);
  const { spool, report } = await Spool.open({ ...deadSpoolOptions(settings), directory });
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
