// The topics that the settings name, in the form in which the gateway creates those that are missing. It creates none.
import { readingTopics } from '../../config/reading-topics.ts';
import type { Settings } from '../../config/settings.ts';
import type { TopicToCreate } from '../client/kafka-client.ts';

/** Consumers downstream write few alarms. */
const ALARM_PARTITIONS = 1;
/** A letter carries the time of its reading. Kafka may have refused the record for that time, so it must not count. */
export const LETTERS_CONFIG = { 'message.timestamp.type': 'LogAppendTime' };

/** Kafka keeps the last state of each device. */
export const PRESENCE_CONFIG = { 'cleanup.policy': 'compact' };

export function topicToCreate(settings: Settings, topic: string, partitions: number): TopicToCreate {
  return { topic, partitions, replicationFactor: settings.KAFKA_REPLICATION_FACTOR };
}

export function alarmsTopic(settings: Settings): TopicToCreate {
  return topicToCreate(settings, settings.KAFKA_TOPIC_ALARMS, ALARM_PARTITIONS);
}

export interface GatewayTopic extends TopicToCreate {
  /** The gateway writes to it. Consumers write to that of alarms. */
  readonly isWritten: boolean;
  /** Kafka is to keep the newest record of each key only. */
  readonly isCompacted?: boolean;
}

export function gatewayTopics(settings: Settings): GatewayTopic[] {
  const { KAFKA_TOPIC_DEAD_LETTERS, KAFKA_TOPIC_PRESENCE, KAFKA_NUM_PARTITIONS } = settings;
  const written = (topic: string) => ({
    ...topicToCreate(settings, topic, KAFKA_NUM_PARTITIONS),
    isWritten: true,
  });
  return [
    ...readingTopics(settings).map(written),
    ...(KAFKA_TOPIC_DEAD_LETTERS === null
      ? []
      : [{ ...written(KAFKA_TOPIC_DEAD_LETTERS), config: LETTERS_CONFIG }]),
    ...(KAFKA_TOPIC_PRESENCE === null
      ? []
      : [{ ...written(KAFKA_TOPIC_PRESENCE), config: PRESENCE_CONFIG, isCompacted: true }]),
    { ...alarmsTopic(settings), isWritten: false },
  ];
}
