// What is said when Kafka does not create a topic for us.
import type { TopicToCreate } from '../client/kafka-client.ts';
import { KAFKA_ERRORS } from '../wire/errors.ts';

/** How to let the gateway create it, for errors that do not go away by themselves. */
const HOW_TO_ALLOW: Readonly<Record<string, string>> = {
  TOPIC_AUTHORIZATION_FAILED: 'give the login of the gateway the right Create on the topic',
  CLUSTER_AUTHORIZATION_FAILED: 'give the login of the gateway the right Create on the cluster',
  POLICY_VIOLATION: 'change the policy of the cluster (create.topic.policy.class.name)',
  INVALID_REPLICATION_FACTOR: 'set KAFKA_REPLICATION_FACTOR to at most the number of brokers',
  INVALID_PARTITIONS: 'set KAFKA_NUM_PARTITIONS to a number that the cluster allows',
  INVALID_TOPIC_EXCEPTION: 'choose another name',
};

/** The refusal goes away without anybody's help: a controller that is being elected, a timeout. */
export function isRefusedForNow(refusal: string): boolean {
  for (const { name, outcome } of KAFKA_ERRORS.values())
    if (name === nameOf(refusal)) return outcome !== 'topic';
  return false;
}

/** @param refusal the name of Kafka's error, and a colon and the broker's own words if it said more */
export function creationRefusal({ topic, partitions }: TopicToCreate, refusal: string): string {
  if (isRefusedForNow(refusal))
    return `Topic ${topic} does not exist and could not be created yet (${refusal})`;
  const allow = HOW_TO_ALLOW[nameOf(refusal)] ?? 'allow it';
  return `Topic ${topic} does not exist and Kafka does not let us create it (${refusal}): create it with ${partitions} partitions, or ${allow}`;
}

const nameOf = (refusal: string): string => refusal.split(':', 1)[0] ?? refusal;
