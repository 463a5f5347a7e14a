// The Kafka side wired up from the settings: from an appended record to its confirmation.
import { readFileSync } from 'node:fs';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import { Batcher } from './batcher.ts';
import { BufferBudget } from './buffer-budget.ts';
import { KafkaCluster, type SaslOptions } from './cluster.ts';
import { createCodec } from './compression.ts';
import { Delivery } from './delivery.ts';
import { KafkaLink } from './kafka-link.ts';

export interface Kafka {
  readonly batcher: Batcher;
  readonly delivery: Delivery;
  readonly budget: BufferBudget;
  readonly link: KafkaLink | undefined;
  readonly cluster: KafkaCluster | undefined;
  start(): void;
  /** Sends what is open and resolves when all of it is confirmed; it can take for ever. */
  flush(): Promise<void>;
  close(): void;
}

/** Kafka's own default for max.message.bytes, until the topic's is known. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;
/** What 1000 readings of one message may add to their line: the record around each. */
const BATCH_MESSAGE_FRAMES = 1000 * 1024;
const LINE_GROWTH = 3;
const ALARM_PARTITIONS = 1;

/** @throws CodecUnavailableError where KAFKA_COMPRESSION cannot be had here */
export function createKafka(settings: Settings, log: Logger): Kafka {
  const codec = createCodec(settings.KAFKA_COMPRESSION);
  const idempotent = settings.KAFKA_REQUIRED_ACKS === -1;
  const reserve = LINE_GROWTH * settings.TCP_MAX_LINE_BYTES + BATCH_MESSAGE_FRAMES;
  const budget = new BufferBudget(settings.KAFKA_BUFFER_BYTES, reserve);
  const cluster =
    settings.KAFKA_BROKERS.length === 0
      ? undefined
      : new KafkaCluster(
          {
            brokers: settings.KAFKA_BROKERS,
            clientId: settings.KAFKA_CLIENT_ID,
            ssl: tlsOptions(settings),
            sasl: saslOptions(settings),
            requestTimeoutMs: settings.KAFKA_REQUEST_TIMEOUT,
          },
          log,
        );
  const noKafka = () => Promise.reject(new Error('KAFKA_BROKERS is empty'));
  const delivery: Delivery = new Delivery(
    {
      topic: settings.KAFKA_TOPIC_METRICS,
      acks: settings.KAFKA_REQUIRED_ACKS,
      requestTimeoutMs: settings.KAFKA_REQUEST_TIMEOUT,
    },
    {
      codec,
      budget,
      producer: cluster ?? { produce: noKafka, initProducerId: noKafka },
      events: {
        partitionIdle: (partition) => batcher.partitionIdle(partition),
        leadersStale: (reason) => link?.refresh(reason),
      },
      log,
    },
  );
  const batcher: Batcher = new Batcher(
    {
      maxRecords: settings.KAFKA_BATCH_SIZE,
      maxBytes: settings.KAFKA_BATCH_BYTES,
      lingerMs: settings.KAFKA_BATCH_TIMEOUT,
      assumedPartitions: settings.KAFKA_NUM_PARTITIONS,
      maxRecordBytes: DEFAULT_MAX_MESSAGE_BYTES,
    },
    { budget, taker: delivery },
  );
  const link =
    cluster &&
    new KafkaLink(
      {
        brokers: settings.KAFKA_BROKERS,
        metrics: topic(settings, settings.KAFKA_TOPIC_METRICS, settings.KAFKA_NUM_PARTITIONS),
        others: otherTopics(settings),
        idempotent,
        bufferBytes: settings.KAFKA_BUFFER_BYTES,
      },
      { cluster, delivery, batcher, log },
    );
  log.info(
    `Kafka producer initialized (batch=${settings.KAFKA_BATCH_SIZE}, compression=${settings.KAFKA_COMPRESSION}, async=${settings.KAFKA_ASYNC})`,
  );
  return {
    batcher,
    delivery,
    budget,
    link,
    cluster,
    start: () => {
      if (link === undefined)
        log.warn('KAFKA_BROKERS is empty: records wait in memory, nothing is delivered');
      link?.start();
    },
    flush: () => {
      batcher.flush();
      return delivery.drained();
    },
    close: () => {
      link?.close();
      delivery.close();
      batcher.stop();
      budget.close();
      cluster?.close();
    },
  };
}

function topic(settings: Settings, name: string, partitions: number) {
  return { topic: name, partitions, replicationFactor: settings.KAFKA_REPLICATION_FACTOR };
}

function otherTopics(settings: Settings) {
  const others = [topic(settings, settings.KAFKA_TOPIC_ALARMS, ALARM_PARTITIONS)];
  const dead = settings.KAFKA_TOPIC_DEAD_LETTERS;
  if (dead !== '' && dead !== null) others.push(topic(settings, dead, settings.KAFKA_NUM_PARTITIONS));
  return others;
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
