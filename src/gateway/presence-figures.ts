// Adds the figures of presence to those of the gateway. It counts nothing itself.
import type { Figures } from '../admin/snapshot.ts';
import type { Presence } from '../presence/presence.ts';
import { topicFiguresOf } from './gateway-snapshot.ts';

/** @param presence undefined without KAFKA_TOPIC_PRESENCE */
export function withPresence(figures: Figures, presence: Presence | undefined): Figures {
  if (presence === undefined) return figures;
  const { kafka } = figures;
  const topic = { topic: presence.topic, use: 'presence', ...topicFiguresOf(presence.pipeline) } as const;
  return { ...figures, kafka: { ...kafka, topics: [...kafka.topics, topic] }, presence: presence.figures };
}
