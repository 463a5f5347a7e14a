// The health of Kafka and of the topics, from the figures.
import type { KafkaCause, KafkaTrouble, TopicFigures } from '../admin/kafka-figures.ts';
import type { Figures } from '../admin/snapshot.ts';
import type { Component } from './component.ts';
import { counted, type Details, found } from './found.ts';

/** While one of these is the trouble, nothing new is known about topics. */
const OF_THE_CLUSTER: ReadonlySet<KafkaCause> = new Set([
  'not_configured',
  'connecting',
  'login',
  'token',
  'brokers',
  'versions',
]);

export function kafka({ kafka: { trouble, connected, throttled, throttledSeconds } }: Figures): Component {
  switch (trouble?.cause) {
    case 'not_configured':
      return found('kafka', 'not_configured', trouble);
    case 'connecting':
      return found('kafka', 'connecting', trouble);
    case 'login':
      return found('kafka', 'login_refused', trouble);
    case 'token':
      return found('kafka', 'no_token', trouble);
    case 'versions':
      return found('kafka', 'unsupported', trouble);
    case 'brokers':
      return found('kafka', 'unreachable', trouble);
    case 'leaders':
      return trouble.isPartial
        ? found('kafka', 'leaders_unreachable', trouble)
        : found('kafka', 'unreachable', trouble);
  }
  if (throttled > 0) {
    const reason = `brokers make the gateway wait because of a quota, ${Math.round(throttledSeconds)} s in all since the start`;
    return found('kafka', 'throttled', { reason });
  }
  // The trouble is the topic's, and brokers answer.
  if (!connected && trouble !== null) return found('kafka', 'unreachable', trouble);
  return found('kafka', 'ok', { reason: 'brokers answer' });
}

export function topics(figures: Figures): readonly Component[] {
  const known = figures.kafka.topics.map(ofTopic);
  const ids = new Set(known.map(({ id }) => id));
  const others = figures.spool.otherTopics.map(({ topic, records, problem }) => {
    const id = idOf(topic);
    const waiting = `${records} records of ${topic}, which KAFKA_TOPIC_METRICS no longer names, wait in the spool`;
    return problem === null
      ? found('topic', 'ok', { id, reason: `${waiting} and are sent` })
      : found('topic', 'waiting_topic', { id, reason: `${waiting}: ${problem}` });
  });
  return [...known, ...others.filter(({ id }) => !ids.has(id))];
}

/** True if Kafka takes the records of every partition of every topic of readings, as far as is known. */
export function takesAll({ kafka: { trouble, topics: all } }: Figures): boolean {
  const readings = all.filter(isOfReadings);
  if (trouble !== null || readings.length === 0) return false;
  return readings.every((topic) => topic.trouble === null && topic.failing === 0);
}

/** True if Kafka takes no record of one of the topics of readings, or nothing is known about it. */
export function takesNone({ kafka: { trouble, topics: all } }: Figures): boolean {
  const readings = all.filter(isOfReadings);
  if (isWhole(trouble) || readings.length === 0) return true;
  return readings.some((topic) => isWhole(topic.trouble) || isAll(topic, topic.failing));
}

/** Accepted readings go to the topic. */
export const isOfReadings = ({ use }: TopicFigures) => use === 'metrics' || use === 'lines';
const isWhole = (trouble: KafkaTrouble | null) => trouble !== null && !trouble.isPartial;

export const idOf = (topic: string) => `topic ${topic}`;

function ofTopic(topic: TopicFigures): Component {
  const { trouble, held, failing, partitions, problems, lastError } = topic;
  const id = idOf(topic.topic);
  if (trouble !== null && OF_THE_CLUSTER.has(trouble.cause))
    return found('topic', 'unknown', { id, reason: 'Kafka cannot be asked, see kafka' });
  const details = (reason: string, isPartial: boolean): Details => ({
    id,
    reason,
    ...(!isPartial && { state: 'failed' }),
  });
  if (trouble?.cause === 'topic') return found('topic', 'unusable', details(trouble.reason, false));
  if (held > 0) {
    const why = problems.length === 0 ? (lastError ?? 'the reason is not known') : problems.join('; ');
    const reason = `Kafka refuses the records of ${counted(held, 'partition')} of ${partitions}: ${why}`;
    return found('topic', 'held', details(reason, !isAll(topic, held)));
  }
  if (problems.length > 0 && failing > 0)
    return found('topic', 'unusable', details(problems.join('; '), !isAll(topic, failing)));
  if (trouble?.cause === 'leaderless')
    return found('topic', 'no_leader', details(trouble.reason, trouble.isPartial));
  if (trouble?.cause === 'fewer') return found('topic', 'fewer_partitions', details(trouble.reason, true));
  if (failing > 0) {
    const reason = `Kafka does not take the batches of ${counted(failing, 'partition')} of ${partitions}: ${trouble?.reason ?? lastError ?? 'no answer yet'}`;
    return found('topic', 'failing', details(reason, !isAll(topic, failing)));
  }
  if (trouble?.cause === 'leaders')
    return found('topic', 'unknown', { id, reason: 'its leaders cannot be connected to, see kafka' });
  return found('topic', 'ok', { id, reason: counted(partitions, 'partition') });
}

const isAll = ({ partitions }: TopicFigures, count: number) => count > 0 && count >= partitions;
