// Configures the pipeline of presence records. It is apart from the readings, with little memory and a spool of its own,
// so that it never holds them up. The states are made in src/presence.
import { BufferBudget } from '../batches/buffer-budget.ts';
import { PRESENCE_CONFIG } from '../topics/gateway-topics.ts';
import { Pipeline, type PipelineContext, type PipelineOptions } from './pipeline.ts';

/** Records in memory, before they are in Kafka or on disk: more than 10,000. */
const BUFFER_BYTES = 4 * 2 ** 20;
/** The largest record: 1 KiB with the longest zipcode and device_id, each character escaped. */
const RECORD_BYTES = 4 * 2 ** 10;

export function createPresencePipeline(
  context: PipelineContext,
  topic: string,
  recordRefused: PipelineOptions['recordRefused'],
): Pipeline {
  return new Pipeline({
    ...context,
    topic,
    topicConfig: PRESENCE_CONFIG,
    budget: new BufferBudget(BUFFER_BYTES, RECORD_BYTES),
    quiet: true,
    isCompacted: true,
    recordRefused,
  });
}
