// The topics that accepted readings go to: KAFKA_TOPIC_METRICS, and those that the port for plain lines names. Whoever
// needs their list takes it from here.

import type { Settings } from './settings.ts';

/** The settings that name topics of readings. */
export type TopicNames = Pick<
  Settings,
  'KAFKA_TOPIC_METRICS' | 'TCP_LINES_PORT' | 'TCP_LINES_TOPIC' | 'TCP_LINES_TOPICS'
>;

/** Each topic has its own batches and partitions, so their number is bounded. */
export const MAX_FURTHER_TOPICS = 16;

/** KAFKA_TOPIC_METRICS first, then the others, each once. */
export function readingTopics(settings: TopicNames): readonly [string, ...string[]] {
  const metrics = settings.KAFKA_TOPIC_METRICS;
  const further = new Set(furtherTopics(settings));
  further.delete(metrics);
  return [metrics, ...further];
}

/** The topics of the port for plain lines, if it is open. */
export function furtherTopics({
  TCP_LINES_PORT: port,
  TCP_LINES_TOPIC: topic,
  TCP_LINES_TOPICS: topics,
}: Partial<TopicNames>): readonly string[] {
  if (port === null || port === undefined) return [];
  return [...(topic ? [topic] : []), ...(topics ?? [])];
}
