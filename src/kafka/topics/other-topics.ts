// Creates topics that the gateway does not write to itself. Nothing ever waits for them.
import type { Log } from '../../log/log.ts';
import { backoffMs, pause } from '../../time/backoff.ts';
import type { TopicToCreate } from '../client/kafka-client.ts';
import { kafkaError } from '../wire/errors.ts';
import type { MetadataSource } from './metadata-source.ts';
import { creationRefusal } from './topic-creation.ts';

/** About an hour in all. A starting Kafka needs minutes, and a missing right is not worth more tries. */
const MAX_TRIES = 40;
/** The lines of an outage tell it. */
const UNREACHABLE = 'unreachable';
const RETRY = { firstMs: 1000, maxMs: 120_000 };

/** Resolves when each topic exists or is given up, or when the signal is aborted. */
export async function createOtherTopics(
  topics: readonly TopicToCreate[],
  { source, signal, log, retry = RETRY }: Deps,
): Promise<void> {
  await Promise.all(
    topics.map(async (topic) => {
      let lastKind: string | undefined;
      for (let tries = 1; tries <= MAX_TRIES && !signal.aborted; tries++) {
        const trouble = await createOne(topic, source, log).catch((error: unknown) => ({
          kind: UNREACHABLE,
          message: `Could not look for topic ${topic.topic}: ${(error as Error).message}`,
        }));
        if (trouble === null || signal.aborted) return;
        if (trouble.kind !== lastKind)
          log.write(trouble.kind === UNREACHABLE ? 'other_topic_not_looked_for' : 'other_topic_failed', {
            explanation: trouble.message,
            topic: topic.topic,
          });
        lastKind = trouble.kind;
        await pause(backoffMs(tries, retry), signal);
      }
    }),
  );
}

interface Deps {
  readonly source: MetadataSource;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly retry?: typeof RETRY;
}

/** Null if the topic exists afterwards. */
async function createOne(
  topic: TopicToCreate,
  source: MetadataSource,
  log: Log,
): Promise<{ kind: string; message: string } | null> {
  const { errorCode } = await source.topicMetadata(topic.topic);
  const { name, outcome, remedy } = kafkaError(errorCode);
  if (name !== 'UNKNOWN_TOPIC_OR_PARTITION') {
    if (outcome !== 'topic') return null;
    return { kind: name, message: `Topic ${topic.topic} cannot be looked for (${name}): ${remedy}` };
  }
  const { refusal, isNew } = await source.createTopic(topic);
  if (refusal !== null) return { kind: refusal, message: creationRefusal(topic, refusal) };
  if (isNew) log.write('topic_created', { topic: topic.topic, partitions: topic.partitions });
  return null;
}
