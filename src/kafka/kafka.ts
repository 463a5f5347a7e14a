// Wires up the Kafka side of one process: readings from append() to their confirmation, dead letters, and the spools of
// both. It decides nothing about a single record.

import { readingTopics } from '../config/reading-topics.ts';
import type { Settings } from '../config/settings.ts';
import { messageBytes } from '../config/shares.ts';
import type { Log } from '../log/log.ts';
import { OPERATION_SECONDS } from '../measure/buckets.ts';
import { Histogram } from '../measure/histogram.ts';
import { Congestion } from '../queue/congestion.ts';
import { ownerText, pidToStop } from '../spool/lock-owner.ts';
import { DEAD_LETTERS_NAME, deadLettersDirectory } from '../spool/parts.ts';
import { Spool, type SpoolOptions } from '../spool/spool.ts';
import type { SpoolCap } from '../spool/spool-cap.ts';
import type { RecordSink } from '../workers/record-sink.ts';
import type { Batcher } from './batches/batcher.ts';
import { BufferBudget } from './batches/buffer-budget.ts';
import { type Codec, createCodec } from './batches/compression.ts';
import type { RefusedRecord } from './batches/split-batch.ts';
import type { KafkaClient } from './client/kafka-client.ts';
import { DeliveryHistograms } from './delivery/batch-accounts.ts';
import type { Delivery } from './delivery/delivery.ts';
import { spoolOptions } from './from-settings.ts';
import { createDeadLetterPipeline } from './pipelines/dead-letter-pipeline.ts';
import { DeadLetters, NO_LETTERS_LINK } from './pipelines/dead-letters.ts';
import { OrphanedSpools } from './pipelines/orphaned-spools.ts';
import { closePipeline, createDiskPipeline, Pipeline } from './pipelines/pipeline.ts';
import { ReadingTopics } from './pipelines/reading-topics.ts';
import { alarmsTopic } from './topics/gateway-topics.ts';
import type { MetadataRefresher } from './topics/metadata-refresher.ts';

export interface KafkaOptions {
  /** Kafka refused an accepted record, which stays on disk until this resolves: then its dead letter is durable. */
  readonly recordRefused: (
    record: RefusedRecord,
    why: { readonly reason: string; readonly topic: string },
    letters: DeadLetters,
  ) => Promise<void>;
  readonly log: Log;
  /** Undefined if KAFKA_BROKERS is empty. */
  readonly cluster: KafkaClient | undefined;
  /** As SpoolOptions.gatewayPid. */
  readonly gatewayPid?: number | undefined;
}

export interface KafkaStart {
  /** Spool directories that former processes left. */
  readonly orphanedParts?: readonly string[];
  /** How long to wait for another process that has locked the spool. */
  readonly lockWaitMs?: number;
}

/** More than any topic has. Partitions of each topic are numbered from a multiple of it, for those who see several. */
const PARTITIONS_OF_TOPIC = 2 ** 20;

export class Kafka implements Pipeline {
  /** The pipeline of KAFKA_TOPIC_METRICS: these four fields. */
  readonly batcher: Batcher;
  readonly delivery: Delivery;
  readonly budget: BufferBudget;
  readonly link: MetadataRefresher | undefined;
  /** Undefined if KAFKA_BROKERS is empty. */
  readonly cluster: KafkaClient | undefined;
  readonly codec: Codec;
  readonly deadLetters: DeadLetters;
  /** KAFKA_TOPIC_METRICS, and the further topics that the settings name for accepted readings. */
  readonly readings: ReadingTopics;
  /** Limits all readings on disk that this process sends. */
  readonly spoolCap: SpoolCap;
  /** Everything on disk that this process sends and adds nothing to. */
  readonly orphans: OrphanedSpools;
  /** Of all readings, those of orphaned spools included. */
  readonly histograms = new DeliveryHistograms();
  /** Seconds of each sync of records or dead letters to the disk. */
  readonly syncTimes = new Histogram(OPERATION_SECONDS);

  readonly #settings: Settings;
  readonly #log: Log;
  readonly #letters: Pipeline;
  readonly #readingsSpool: Omit<SpoolOptions, 'directory'>;
  readonly #lettersSpool: Omit<SpoolOptions, 'directory'>;
  readonly #openSpools: Spool[] = [];
  readonly #closing = new AbortController();
  #starting: Promise<void> = Promise.resolve();

  /** @throws CodecUnavailableError if this machine lacks the codec that KAFKA_COMPRESSION names */
  constructor(settings: Settings, { log, cluster, gatewayPid, ...given }: KafkaOptions) {
    const codec = createCodec(settings.KAFKA_COMPRESSION);
    const { histograms } = this;
    const context = { settings, codec, cluster, histograms, log };
    this.#settings = settings;
    this.#log = log;
    this.cluster = cluster;
    this.codec = codec;
    const { syncTimes } = this;
    this.#readingsSpool = { ...spoolOptions(settings, 'SPOOL_MAX_BYTES', log), syncTimes, gatewayPid };
    this.#lettersSpool = { ...spoolOptions(settings, 'SPOOL_DEAD_BYTES', log), syncTimes, gatewayPid };
    this.spoolCap = this.#readingsSpool.cap;
    this.#letters = createDeadLetterPipeline(context);
    const topic = settings.KAFKA_TOPIC_DEAD_LETTERS;
    this.deadLetters = new DeadLetters(this.#letters, { topic, cap: this.#lettersSpool.cap }, log);
    const refusedBy = (topic: string) => (record: RefusedRecord, reason: string) =>
      given.recordRefused(record, { reason, topic }, this.deadLetters);
    const topics = readingTopics(settings);
    const [metrics] = topics;
    const budget = new BufferBudget(settings.KAFKA_BUFFER_BYTES, messageBytes(settings));
    const congestion = new Congestion();
    this.readings = new ReadingTopics(
      topics,
      (topic, index) =>
        new Pipeline({
          ...context,
          topic,
          budget,
          congestion,
          firstPartition: index * PARTITIONS_OF_TOPIC,
          others: topic === metrics ? [alarmsTopic(settings)] : [],
          quiet: false,
          recordRefused: refusedBy(topic),
        }),
    );
    const { pipeline } = this.readings.metrics;
    this.batcher = pipeline.batcher;
    this.delivery = pipeline.delivery;
    this.budget = budget;
    this.link = pipeline.link;
    this.orphans = new OrphanedSpools({
      readings: {
        spoolOptions: this.#readingsSpool,
        createPipeline: (topic) => createDiskPipeline(context, topic, refusedBy(topic)),
        blocked: cluster === undefined ? 'KAFKA_BROKERS is empty' : null,
      },
      letters: {
        spoolOptions: this.#lettersSpool,
        createPipeline: () => createDeadLetterPipeline(context),
        blocked: cluster === undefined || topic === null ? NO_LETTERS_LINK : null,
      },
      currentTopics: new Set(topics),
      isConnected: () => cluster?.connected ?? false,
      log,
    });
    log.write('producer_initialized', {
      batchSize: settings.KAFKA_BATCH_SIZE,
      compression: settings.KAFKA_COMPRESSION,
      async: settings.KAFKA_ASYNC,
    });
  }

  /** Takes the records for the topic. @throws RangeError if the settings do not name it */
  sinkOf(topic: string): RecordSink {
    const sink = this.readings.sinks.get(topic);
    if (sink === undefined) throw new RangeError(`no pipeline for topic ${topic}`);
    return sink;
  }

  /** Opens the spool and starts looking for Kafka. Rejects if the spool cannot be used or locked, or after close(). */
  start(options: KafkaStart = {}): Promise<void> {
    this.#starting = this.#start(options);
    return this.#starting;
  }

  /** Closes open batches and resolves when all readings are confirmed or on disk, however long Kafka takes. */
  async flush(): Promise<void> {
    this.#letters.batcher.flush();
    // Do not wait for dead letters while Kafka is away: flushToSpool() puts them on disk.
    const letters = this.#letters.link?.problem === null ? this.#letters.delivery.flushed() : undefined;
    await Promise.all([this.readings.flush(), letters]);
    // With acks 0 batches count as confirmed while they wait to be written. close() would drop them.
    await this.cluster?.written();
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
    return [...this.readings.all.map(({ pipeline }) => pipeline), this.#letters];
  }

  async #start({ orphanedParts = [], lockWaitMs = 0 }: KafkaStart): Promise<void> {
    const directory = this.#settings.SPOOL_DIR;
    const own = await this.#open({ ...this.#readingsSpool, directory }, 'records', lockWaitMs);
    await this.readings.useSpool(own);
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
    if (this.link === undefined) this.#log.write('kafka_brokers_empty');
    this.readings.start();
    this.deadLetters.start();
    await this.orphans.start(orphanedParts);
  }

  /** @param content a word for the records in the spool, for the log */
  async #open(options: SpoolOptions, content: string, lockWaitMs: number): Promise<Spool> {
    const { directory } = options;
    const { signal } = this.#closing;
    const { spool, report } = await Spool.open(options, {
      timeoutMs: lockWaitMs,
      signal,
      onWait: ({ owner }) =>
        this.#log.write('spool_lock_waited', {
          holder: pidToStop(owner),
          owner: ownerText(owner),
          directory,
          waitMs: lockWaitMs,
        }),
    });
    this.#openSpools.push(spool);
    signal.throwIfAborted();
    const { records, badBatches, cutBytes } = report;
    if (records + badBatches + cutBytes > 0) this.#log.write('spool_recovered', { content, ...report });
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
