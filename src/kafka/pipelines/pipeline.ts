// Wires up one topic's batcher, delivery and link to Kafka. Readings have one pipeline, dead letters another, and each
// topic that is only sent from the disk one too. It touches no record.

import type { Settings } from '../../config/settings.ts';
import type { Log } from '../../log/log.ts';
import type { Congestion } from '../../queue/congestion.ts';
import type { TopicSpool } from '../../spool/topic-spool.ts';
import { Batcher } from '../batches/batcher.ts';
import { BufferBudget } from '../batches/buffer-budget.ts';
import type { Codec } from '../batches/compression.ts';
import type { RefusedRecord } from '../batches/split-batch.ts';
import type { KafkaClient, TopicToCreate } from '../client/kafka-client.ts';
import type { DeliveryHistograms } from '../delivery/batch-accounts.ts';
import { Delivery, type DeliveryEvents } from '../delivery/delivery.ts';
import { topicToCreate } from '../topics/gateway-topics.ts';
import { MetadataRefresher } from '../topics/metadata-refresher.ts';

/** Kafka's default for max.message.bytes, used until the topic's own value is known. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;
/** Slow, because hundreds of topics on disk that Kafka does not take may all be asking for their leaders. */
const DISK_RETRY = { firstMs: 200, maxMs: 5_000 };

/** Shared by all pipelines of a process. */
export interface PipelineContext {
  readonly settings: Settings;
  readonly codec: Codec;
  /** Undefined if KAFKA_BROKERS is empty. */
  readonly cluster: KafkaClient | undefined;
  /** Those of readings. Dead letters do not count. */
  readonly histograms?: DeliveryHistograms;
  readonly log: Log;
}

export interface PipelineOptions extends PipelineContext {
  readonly topic: string;
  /** Settings of the topic, if this pipeline creates it. */
  readonly topicConfig?: Readonly<Record<string, string>>;
  readonly budget: BufferBudget;
  /** As BatcherOptions.firstPartition. */
  readonly firstPartition?: number;
  /** As Batcher.congestion, if several pipelines share it. */
  readonly congestion?: Congestion;
  /** Other topics that are created if they are missing. */
  readonly others?: readonly TopicToCreate[];
  readonly quiet: boolean;
  /** As MetadataRefresherOptions.isCompacted. */
  readonly isCompacted?: boolean;
  /** Back-off between attempts to learn the leaders. */
  readonly retry?: { readonly firstMs: number; readonly maxMs: number };
  /** The records were dead letters already: one that Kafka refuses again is a letter again, whatever Kafka takes. */
  readonly givesUpAlone?: boolean;
  /** Makes a refused record durable elsewhere. 'append-again': it goes to the end of its own partition. */
  readonly recordRefused: ((record: RefusedRecord, reason: string) => Promise<void>) | 'append-again';
}

/** One topic's way to Kafka. All members are public, so that Kafka and tests can offer the same four. */
export class Pipeline {
  readonly batcher: Batcher;
  readonly delivery: Delivery;
  readonly budget: BufferBudget;
  /** Undefined if KAFKA_BROKERS is empty. */
  readonly link: MetadataRefresher | undefined;

  constructor(options: PipelineOptions) {
    const { settings, topic, codec, cluster, budget, quiet, retry, histograms, log } = options;
    const noKafka = () => Promise.reject(new Error('KAFKA_BROKERS is empty'));
    this.budget = budget;
    this.delivery = new Delivery(
      {
        topic,
        acks: settings.KAFKA_REQUIRED_ACKS,
        requestTimeoutMs: settings.KAFKA_REQUEST_TIMEOUT,
        maxAttempts: settings.KAFKA_MAX_ATTEMPTS,
        isStampedWhenSent: settings.KAFKA_TIMESTAMP === 'sent',
        givesUpAlone: options.givesUpAlone,
      },
      {
        codec,
        budget,
        producer: cluster ?? { produce: noKafka, initProducerId: noKafka },
        events: eventsOf(this, options.recordRefused),
        ...(histograms && { histograms }),
        log,
      },
    );
    this.batcher = new Batcher(
      {
        maxRecords: settings.KAFKA_BATCH_SIZE,
        maxBytes: settings.KAFKA_BATCH_BYTES,
        lingerMs: settings.KAFKA_BATCH_TIMEOUT,
        maxMessageBytes: DEFAULT_MAX_MESSAGE_BYTES,
        firstPartition: options.firstPartition,
      },
      { budget, sink: this.delivery, congestion: options.congestion },
    );
    this.link =
      cluster &&
      new MetadataRefresher(
        {
          brokers: settings.KAFKA_BROKERS,
          topic: {
            ...topicToCreate(settings, topic, settings.KAFKA_NUM_PARTITIONS),
            config: options.topicConfig ?? {},
          },
          others: options.others ?? [],
          quiet,
          idempotent: settings.KAFKA_REQUIRED_ACKS === -1,
          timestamp: settings.KAFKA_TIMESTAMP,
          isCompacted: options.isCompacted ?? false,
          ...(retry && { timing: { retry } }),
        },
        { source: cluster, delivery: this.delivery, batcher: this.batcher, log },
      );
  }
}

function eventsOf(pipeline: Pipeline, recordRefused: PipelineOptions['recordRefused']): DeliveryEvents {
  return {
    partitionIdle: (partition) => pipeline.batcher.partitionIdle(partition),
    congested: (partition, isCongested) => pipeline.batcher.congested(partition, isCongested),
    leadersStale: (reason) => pipeline.link?.refresh(reason),
    adoptable: () => pipeline.link?.refresh('partitions'),
    limitsStale: () => void pipeline.link?.refreshLimits(),
    recordRefused: (record, reason, partition) => {
      if (recordRefused !== 'append-again') return recordRefused(record, reason);
      const batch = pipeline.batcher.appendRaw(partition, record.timestampMs, record.body);
      // The partition frees no space on disk before the record is there, so a full spool must take the record too.
      return pipeline.delivery.beyondCap(partition, batch.settled());
    },
  };
}

/** For a topic that is only sent from the disk: no record is appended to it. */
export function createDiskPipeline(
  context: PipelineContext,
  topic: string,
  recordRefused: PipelineOptions['recordRefused'],
  options: Pick<PipelineOptions, 'givesUpAlone'> = {},
): Pipeline {
  const budget = new BufferBudget(0, 0);
  return new Pipeline({
    ...context,
    topic,
    budget,
    quiet: true,
    retry: DISK_RETRY,
    recordRefused,
    ...options,
  });
}

/** Gives the pipeline its spool. Records already there are sent before new ones. */
export function useSpool({ delivery, batcher }: Pipeline, spool: TopicSpool): void {
  delivery.useSpool(spool);
  if (spool.partitionCount !== undefined) batcher.setPartitions(spool.partitionCount);
}

/** Starts looking for Kafka. */
export function startPipeline({ link, delivery }: Pipeline): void {
  if (link === undefined) delivery.unreachable();
  else link.start();
}

/** Stops sending. The spool stays open, because its owner may have other topics in it. */
export async function closePipeline({ link, batcher, budget, delivery }: Pipeline): Promise<void> {
  link?.close();
  batcher.stop();
  budget.close();
  await delivery.close();
}

/** Why the pipeline does not deliver its records, or null. Includes advice if the problem does not pass by itself. */
export function problemOf({ link, delivery }: Pipeline): string | null {
  if (link === undefined) return 'KAFKA_BROKERS is empty';
  const { counters, failingPartitions, heldPartitions, problems, spoolTrouble } = delivery;
  const failure = failingPartitions + heldPartitions > 0 ? (problems[0] ?? counters.lastError) : null;
  return link.problem ?? failure ?? spoolTrouble;
}
