// One topic's batcher, delivery and link, wired up: readings have one, dead letters another, and so has each topic that
// is only sent from the disk.
import type { Logger } from 'pino';
import type { Settings } from '../../config/settings.ts';
import type { TopicSpool } from '../../spool/topic-spool.ts';
import { Batcher } from '../batches/batcher.ts';
import { BufferBudget } from '../batches/buffer-budget.ts';
import type { Codec } from '../batches/compression.ts';
import type { KafkaCluster, TopicToCreate } from '../client/cluster.ts';
import { Delivery, type DeliveryEvents } from '../delivery/delivery.ts';
import { MetadataRefresher } from '../topics/metadata-refresher.ts';

/** Kafka's own default for max.message.bytes, until the topic's is known. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;
/** There may be hundreds of topics on disk that Kafka does not take, and each of them goes on asking for its leaders. */
const DISK_RETRY = { firstMs: 200, maxMs: 5_000 };

/** What all pipelines of a process share. */
export interface PipelineContext {
  readonly settings: Settings;
  readonly codec: Codec;
  /** Undefined if KAFKA_BROKERS is empty. */
  readonly cluster: KafkaCluster | undefined;
  readonly log: Logger;
}

export interface PipelineParts extends PipelineContext {
  readonly topic: string;
  /** Settings of the topic, if it is created here. */
  readonly topicConfig?: Readonly<Record<string, string>>;
  readonly budget: BufferBudget;
  /** Topics to create if they are missing, besides. */
  readonly others?: readonly TopicToCreate[];
  readonly quiet: boolean;
  /** Pauses between attempts to learn the leaders. */
  readonly retry?: { readonly firstMs: number; readonly maxMs: number };
  readonly recordRefused: DeliveryEvents['recordRefused'];
}

export interface Pipeline {
  readonly batcher: Batcher;
  readonly delivery: Delivery;
  readonly budget: BufferBudget;
  /** Undefined if KAFKA_BROKERS is empty. */
  readonly link: MetadataRefresher | undefined;
}

export function createPipeline(parts: PipelineParts): Pipeline {
  const { settings, topic, codec, cluster, budget, quiet, retry, recordRefused, log } = parts;
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
        adoptable: () => link?.refresh('partitions'),
        limitsStale: () => void link?.refreshLimits(),
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
        others: parts.others ?? [],
        quiet,
        idempotent: settings.KAFKA_REQUIRED_ACKS === -1,
        timestamp: settings.KAFKA_TIMESTAMP,
        ...(retry && { timing: { retry } }),
      },
      { source: cluster, delivery, batcher, log },
    );
  return { batcher, delivery, budget, link };
}

/** For a topic that is only sent from the disk: no record is appended to it. */
export function createDiskPipeline(
  context: PipelineContext,
  topic: string,
  recordRefused: DeliveryEvents['recordRefused'],
): Pipeline {
  const budget = new BufferBudget(0, 0);
  return createPipeline({ ...context, topic, budget, quiet: true, retry: DISK_RETRY, recordRefused });
}

/** Gives the pipeline its place on disk. What is there is sent before anything new. */
export function useSpool({ delivery, batcher }: Pipeline, spool: TopicSpool): void {
  delivery.useSpool(spool);
  if (spool.partitionCount !== undefined) batcher.setPartitions(spool.partitionCount);
}

/** Begins to look for Kafka. */
export function startPipeline({ link, delivery }: Pipeline): void {
  if (link === undefined) delivery.unreachable();
  else link.start();
}

/** Sends nothing more. The spool stays open, as its owner may have other topics in it. */
export async function closePipeline({ link, batcher, budget, delivery }: Pipeline): Promise<void> {
  link?.close();
  batcher.stop();
  budget.close();
  await delivery.close();
}

/** Why the pipeline does not get rid of its records, or null. Says what to do if that does not pass by itself. */
export function problemOf({ link, delivery }: Pipeline): string | null {
  if (link === undefined) return 'KAFKA_BROKERS is empty';
  const { counters, failingPartitions, heldPartitions, problems, spoolTrouble } = delivery;
  const failure = failingPartitions + heldPartitions > 0 ? (problems[0] ?? counters.lastError) : null;
  return link.problem ?? failure ?? spoolTrouble;
}

export function topicToCreate(settings: Settings, topic: string, partitions: number): TopicToCreate {
  return { topic, partitions, replicationFactor: settings.KAFKA_REPLICATION_FACTOR };
}
