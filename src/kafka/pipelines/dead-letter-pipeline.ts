// Configures the pipeline of the dead letters. It is apart from the readings, so that letters which Kafka does not take
// wait in a spool of their own. Which letters are kept is decided in dead-letters.ts.
import { DEAD_LETTERS_NAME } from '../../spool/parts.ts';
import { BufferBudget } from '../batches/buffer-budget.ts';
import { LETTERS_CONFIG } from '../topics/gateway-topics.ts';
import { Pipeline, type PipelineContext } from './pipeline.ts';

/** Bound on letters in memory, before they are in Kafka or on disk. */
const BUFFER_BYTES = 8 * 2 ** 20;
/** A partition waits for the letter of each refused record, so letters must not linger as long as readings may. */
const MAX_LINGER_MS = 10;

export function createDeadLetterPipeline({ settings, codec, cluster, log }: PipelineContext): Pipeline {
  const topic = settings.KAFKA_TOPIC_DEAD_LETTERS;
  return new Pipeline({
    settings: {
      ...settings,
      KAFKA_BATCH_TIMEOUT: Math.min(MAX_LINGER_MS, settings.KAFKA_BATCH_TIMEOUT),
    },
    codec,
    log,
    // Without a topic nothing is sent, and the letters of records stay on disk.
    cluster: topic === null ? undefined : cluster,
    topic: topic ?? DEAD_LETTERS_NAME,
    topicConfig: LETTERS_CONFIG,
    budget: new BufferBudget(BUFFER_BYTES, settings.TCP_MAX_LINE_BYTES),
    quiet: true,
    // A letter is never given up. One that Kafka refuses must not hold up the others.
    recordRefused: 'append-again',
  });
}
