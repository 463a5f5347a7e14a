// Wires up the Kafka side of one process: readings from append() to their confirmation, dead letters, and the spools of
// both. It decides nothing about a single record.
import type { Logger } from 'pino';
import { durationText } from '../config/kinds.ts';
import type { Settings } from '../config/settings.ts';
import { messageBytes } from '../config/shares.ts';
import { DEAD_LETTERS_NAME, deadLettersDirectory } from '../spool/parts.ts';
import { Spool, type SpoolOptions } from '../spool/spool.ts';
import type { SpoolCap } from '../spool/spool-cap.ts';
import type { TopicSpool } from '../spool/topic-spool.ts';
import type { Batcher } from './batches/batcher.ts';
import { BufferBudget } from './batches/buffer-budget.ts';
import { type Codec, createCodec } from './batches/compression.ts';
import type { RefusedRecord } from './batches/split-batch.ts';
import type { KafkaClient } from './client/kafka-client.ts';
import type { Delivery } from './delivery/delivery.ts';
import { createCluster, spoolOptions } from './from-settings.ts';
import { createDeadLetterPipeline } from './pipelines/dead-letter-pipeline.ts';
import { DeadLetters, NO_LETTERS_LINK } from './pipelines/dead-letters.ts';
import { OrphanedSpools } from './pipelines/orphaned-spools.ts';
import {
  closePipeline,
  createDiskPipeline,
  Pipeline,
  startPipeline,
  topicToCreate,
  useSpool,
} from './pipelines/pipeline.ts';
import type { MetadataRefresher } from './topics/metadata-refresher.ts';

export interface KafkaOptions {
  /** Kafka refused an accepted record, which stays on disk until this resolves: then its dead letter is durable. */
  readonly recordRefused: (record: RefusedRecord, reason: string, letters: DeadLetters) => Promise<void>;
  readonly log: Logger;
  /** Replaces the client that the settings describe, in tests. */
  readonly cluster?: KafkaClient;
}

export interface KafkaStart {
  /** Spool directories that former processes left. */
  readonly orphanedParts?: readonly string[];
  /** How long to wait for another process that has locked the spool. */
  readonly lockWaitMs?: number;
}

const ALARM_PARTITIONS = 1;

export class Kafka implements Pipeline {
  /** The pipeline of the readings: these four fields. */
  readonly batcher: Batcher;
  readonly delivery: Delivery;
  readonly budget: BufferBudget;
  readonly link: MetadataRefresher | undefined;
  /** Undefined if KAFKA_BROKERS is empty. */
  readonly cluster: KafkaClient | undefined;
  readonly codec: Codec;
  readonly deadLetters: DeadLetters;
  /** Limits all readings on disk that this process sends. */
  readonly spoolCap: SpoolCap;
  /** Everything on disk that this process sends and adds nothing to. */
  readonly orphans: OrphanedSpools;

  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #letters: Pipeline;
  readonly #readingsSpool: Omit<SpoolOptions, 'directory'>;
  readonly #lettersSpool: Omit<SpoolOptions, 'directory'>;
  readonly #openSpools: Spool[] = [];
  readonly #closing = new AbortController();
  #starting: Promise<void> = Promise.resolve();
  #spool: TopicSpool | undefined;
  #recovered = 0;

  /** @throws CodecUnavailableError if this machine lacks the codec that KAFKA_COMPRESSION names */
  constructor(settings: Settings, { log, ...given }: KafkaOptions) {
    const cluster = given.cluster ?? createCluster(settings, log);
    const codec = createCodec(settings.KAFKA_COMPRESSION);
    const context = { settings, codec, cluster, log };
    this.#settings = settings;
    this.#log = log;
    this.cluster = cluster;
    this.codec = codec;
    this.#readingsSpool = spoolOptions(settings, 'SPOOL_MAX_BYTES', log);
    this.#lettersSpool = spoolOptions(settings, 'SPOOL_DEAD_BYTES', log);
    this.spoolCap = this.#readingsSpool.cap;
    this.#letters = createDeadLetterPipeline(context);
    const hasTopic = settings.KAFKA_TOPIC_DEAD_LETTERS !== null;
    this.deadLetters = new DeadLetters(this.#letters, { hasTopic, cap: this.#lettersSpool.cap }, log);
    const recordRefused = (record: RefusedRecord, reason: string) =>
      given.recordRefused(record, reason, this.deadLetters);
    const readings = new Pipeline({
      ...context,
      topic: settings.KAFKA_TOPIC_METRICS,
      budget: new BufferBudget(settings.KAFKA_BUFFER_BYTES, messageBytes(settings)),
      others: [topicToCreate(settings, settings.KAFKA_TOPIC_ALARMS, ALARM_PARTITIONS)],
      quiet: false,
      recordRefused,
    });
    this.batcher = readings.batcher;
    this.delivery = readings.delivery;
    this.budget = readings.budget;
    this.link = readings.link;
    this.orphans = new OrphanedSpools({
      readings: {
        spoolOptions: this.#readingsSpool,
        createPipeline: (topic) => createDiskPipeline(context, topic, recordRefused),
        blocked: cluster === undefined ? 'KAFKA_BROKERS is empty' : null,
      },
      letters: {
        spoolOptions: this.#lettersSpool,
        createPipeline: () => createDeadLetterPipeline(context),
        blocked: cluster === undefined || !hasTopic ? NO_LETTERS_LINK : null,
      },
      currentTopic: settings.KAFKA_TOPIC_METRICS,
      isConnected: () => cluster?.connected ?? false,
      log,
    });
    log.info(
      `Kafka producer initialized (batch=${settings.KAFKA_BATCH_SIZE}, compression=${settings.KAFKA_COMPRESSION}, async=${settings.KAFKA_ASYNC})`,
    );
  }

  /** KAFKA_TOPIC_METRICS in this process's part of the spool. Undefined before start(). */
  get spool(): TopicSpool | undefined {
    return this.#spool;
  }

  /** Records of KAFKA_TOPIC_METRICS that an earlier process left in this process's part of the spool. */
  get recovered(): number {
    return this.#recovered;
  }

  /** Opens the spool and starts looking for Kafka. Rejects if the spool cannot be used or locked, or after close(). */
  start(options: KafkaStart = {}): Promise<void> {
    this.#starting = this.#start(options);
    return this.#starting;
  }

  /** Closes open batches and resolves when all readings are confirmed or on disk, however long Kafka takes. */
  async flush(): Promise<void> {
    this.batcher.flush();
    this.#letters.batcher.flush();
    // Do not wait for dead letters while Kafka is away: flushToSpool() puts them on disk.
    const letters = this.#letters.link?.problem === null ? this.#letters.delivery.flushed() : undefined;
    await Promise.all([this.delivery.flushed(), letters]);
  }

  /**
   * Leaves Kafka: from now on every record goes to the disk, also records appended later.
   * @param appended resolves when no record will be appended any more
   * @returns resolves when `appended` has and memory holds no record
   */
  async flushToSpool(appended: Promise<void>): Promise<void> {
    for (const { link } of this.#pipelines) link?.close();
    this.cluster?.close();
    // Twice: workers that still append wait for the room that the first pass makes.
    await Promise.all([this.#spoolAll(), appended]);
    await this.#spoolAll();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    // start() may be opening a part of the spool.
    await Promise.all([this.orphans.close(), this.#starting.catch(() => undefined)]);
    this.cluster?.close();
    await Promise.all(this.#pipelines.map(closePipeline));
    for (const spool of this.#openSpools) await spool.close();
  }

  get #pipelines(): readonly Pipeline[] {
    return [this, this.#letters];
  }

  async #start({ orphanedParts = [], lockWaitMs = 0 }: KafkaStart): Promise<void> {
    const directory = this.#settings.SPOOL_DIR;
    const own = await this.#open({ ...this.#readingsSpool, directory }, 'records', lockWaitMs);
    const spool = await own.topic(this.#settings.KAFKA_TOPIC_METRICS);
    // In one turn, so that the figures never show a part of the recovered records.
    this.#spool = spool;
    this.#recovered = spool.records;
    useSpool(this, spool);
    this.orphans.adopt(own);
    // Before the first reading is sent: a reading that Kafka refuses waits for its letter.
    const lettersDirectory = deadLettersDirectory(directory);
    const letters = await this.#open(
      { ...this.#lettersSpool, directory: lettersDirectory },
      'dead letters',
      lockWaitMs,
    );
    this.deadLetters.useSpool(await letters.topic(DEAD_LETTERS_NAME));
    this.#closing.signal.throwIfAborted();
    if (this.link === undefined)
      this.#log.warn('KAFKA_BROKERS is empty: records stay in the spool until brokers are configured');
    startPipeline(this);
    this.deadLetters.start();
    await this.orphans.start(orphanedParts);
  }

  /** @param content what the spool holds, for the log */
  async #open(options: SpoolOptions, content: string, lockWaitMs: number): Promise<Spool> {
    const { directory } = options;
    const { signal } = this.#closing;
    const { spool, report } = await Spool.open(options, {
      timeoutMs: lockWaitMs,
      signal,
      onWait: (pid) =>
        this.#log.warn(
          { holder: pid, directory },
          `SPOOL_DIR is in use by pid ${pid ?? 'unknown'}: waiting up to ${durationText(lockWaitMs)} for that process to end`,
        ),
    });
    this.#openSpools.push(spool);
    signal.throwIfAborted();
    const { records, badBatches, cutBytes } = report;
    if (records + badBatches + cutBytes > 0)
      this.#log.info({ ...report }, `Spool: ${records} ${content} of an earlier run are waiting for Kafka`);
    return spool;
  }

  async #spoolAll(): Promise<void> {
    await Promise.all(
      this.#pipelines.map(({ batcher, delivery }) => {
        batcher.flush();
        return delivery.spoolAll();
      }),
    );
  }
}
