// The dead letters' way to Kafka: a pipeline and a spool of their own, so that letters which Kafka does not take wait
// on disk, across restarts, apart from the readings. Which letters are kept is decided in dead-letters.ts.
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import { DEAD_LETTERS_NAME } from '../spool/parts.ts';
import type { SpoolOptions } from '../spool/spool.ts';
import { BufferBudget } from './buffer-budget.ts';
import type { KafkaCluster } from './cluster.ts';
import type { Codec } from './compression.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';

/** Letters in memory: those that Kafka has not answered for, or that wait for the disk. */
const BUFFER_BYTES = 8 * 2 ** 20;
/** A partition waits for each letter of a record, so letters do not wait as long for company as readings may. */
const MAX_LINGER_MS = 10;
/** Letters carry the time of their reading. Kafka may have refused the record for that very time. */
const TOPIC_CONFIG = { 'message.timestamp.type': 'LogAppendTime' };

export function createDeadLetterPipeline(
  settings: Settings,
  { codec, cluster, log }: { codec: Codec; cluster: KafkaCluster | undefined; log: Logger },
): Pipeline {
  const topic = settings.KAFKA_TOPIC_DEAD_LETTERS;
  const pipeline: Pipeline = createPipeline({
    settings: {
      ...settings,
      KAFKA_BATCH_TIMEOUT: Math.min(MAX_LINGER_MS, settings.KAFKA_BATCH_TIMEOUT),
    },
    codec,
    log,
    // Without a topic nothing is sent, and the letters of records stay on disk.
    cluster: topic === null ? undefined : cluster,
    topic: topic ?? DEAD_LETTERS_NAME,
    topicConfig: TOPIC_CONFIG,
    budget: new BufferBudget(BUFFER_BYTES, settings.TCP_MAX_LINE_BYTES),
    others: [],
    quiet: true,
    // A letter is never given up. One that Kafka refuses while it takes others goes to the end of its partition, so
    // that it does not hold them up. Until it is there its partition makes no room, so a full spool must take it.
    recordRefused: ({ timestampMs, body }, _reason, partition) =>
      pipeline.delivery.beyondCap(
        partition,
        pipeline.batcher.appendRaw(partition, timestampMs, body).settled(),
      ),
  });
  return pipeline;
}

export function deadSpoolOptions(settings: Settings): Omit<SpoolOptions, 'directory'> {
  return {
    // Not the topic's name: whatever topic is set now gets the letters that are there.
    topic: DEAD_LETTERS_NAME,
    maxBytes: settings.SPOOL_DEAD_BYTES,
    maxBytesSetting: 'SPOOL_DEAD_BYTES',
    segmentBytes: settings.SPOOL_SEGMENT_BYTES,
    sync: settings.SPOOL_SYNC,
    partitions: settings.KAFKA_NUM_PARTITIONS,
  };
}
