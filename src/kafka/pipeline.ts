// One topic's batcher, delivery and link, wired up: readings have one, dead letters another, and so has each part
// of the spool that a former process left.
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import { Batcher } from './batcher.ts';
import type { BufferBudget } from './buffer-budget.ts';
import type { KafkaCluster, TopicToCreate } from './cluster.ts';
import type { Codec } from './compression.ts';
import { Delivery, type DeliveryEvents } from './delivery.ts';
import { MetadataRefresher } from './metadata-refresher.ts';

/** Kafka's own default for max.message.bytes, until the topic's is known. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;

export interface PipelineParts {
  readonly settings: Settings;
  readonly topic: string;
  /** Settings of the topic, if it is created here. */
  readonly topicConfig?: Readonly<Record<string, string>>;
  readonly codec: Codec;
  readonly cluster: KafkaCluster | undefined;
  readonly budget: BufferBudget;
  /** Topics to create where they are missing, besides. */
  readonly others: readonly TopicToCreate[];
  readonly quiet: boolean;
  readonly recordRefused: DeliveryEvents['recordRefused'];
  readonly log: Logger;
}

export interface Pipeline {
  readonly batcher: Batcher;
  readonly delivery: Delivery;
  readonly budget: BufferBudget;
  /** Undefined where KAFKA_BROKERS is empty. */
  readonly link: MetadataRefresher | undefined;
}

export function createPipeline(parts: PipelineParts): Pipeline {
  const { settings, topic, codec, cluster, budget, others, quiet, recordRefused, log } = parts;
  const noKafka = () => Promise.reject(new Error('KAFKA_BROKERS is empty'));
  const delivery: Delivery = new Delivery(
    {
      topic,
      acks: settings.KAFKA_REQUIRED_ACKS,
      requestTimeoutMs: settings.KAFKA_REQUEST_TIMEOUT,
      maxAttempts: settings.KAFKA_MAX_ATTEMPTS,
      isStampedWhenSent: settings.KAFKA_TIMESTAMP === 'sent',
    },
    {
      codec,
      budget,
      producer: cluster ?? { produce: noKafka, initProducerId: noKafka },
      events: {
        partitionIdle: (partition) => batcher.partitionIdle(partition),
        leadersStale: (reason) => link?.refresh(reason),
        recordRefused,
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
    new MetadataRefresher(
      {
        brokers: settings.KAFKA_BROKERS,
        topic: {
          ...topicToCreate(settings, topic, settings.KAFKA_NUM_PARTITIONS),
          config: parts.topicConfig ?? {},
        },
        others,
        quiet,
        idempotent: settings.KAFKA_REQUIRED_ACKS === -1,
        timestamp: settings.KAFKA_TIMESTAMP,
      },
      { source: cluster, delivery, batcher, log },
    );
  return { batcher, delivery, budget, link };
}

export function topicToCreate(settings: Settings, topic: string, partitions: number) {
  return { topic, partitions, replicationFactor: settings.KAFKA_REPLICATION_FACTOR };
}
