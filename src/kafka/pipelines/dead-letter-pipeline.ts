// The dead letters' way to Kafka: a pipeline and a spool of their own, so that letters which Kafka does not take wait
// on disk, across restarts, apart from the readings. Which letters are kept is decided in dead-letters.ts.
import { DEAD_LETTERS_NAME } from '../../spool/parts.ts';
import { BufferBudget } from '../batches/buffer-budget.ts';
import { createPipeline, type Pipeline, type PipelineContext } from './pipeline.ts';

/** Letters in memory: those that Kafka has not answered for, or that wait for the disk. */
const BUFFER_BYTES = 8 * 2 ** 20;
/** A partition waits for each letter of a record, so letters do not wait as long for company as readings may. */
const MAX_LINGER_MS = 10;
/** Letters carry the time of their reading. Kafka may have refused the record for that very time. */
const TOPIC_CONFIG = { 'message.timestamp.type': 'LogAppendTime' };

export function createDeadLetterPipeline({ settings, codec, cluster, log }: PipelineContext): Pipeline {
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
