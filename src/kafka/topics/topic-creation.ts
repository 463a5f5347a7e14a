// The messages for a topic that Kafka does not let the gateway create. It never creates one.
import type { TopicToCreate } from '../client/kafka-client.ts';
import { KAFKA_ERRORS } from '../wire/errors.ts';

/** How to let the gateway create the topic, by the name of an error that does not go away by itself. */
const HOW_TO_ALLOW: Readonly<Record<string, string>> = {
  TOPIC_AUTHORIZATION_FAILED: 'give the login of the gateway the right Create on the topic',
  CLUSTER_AUTHORIZATION_FAILED: 'give the login of the gateway the right Create on the cluster',
  POLICY_VIOLATION:
    'set KAFKA_REPLICATION_FACTOR and KAFKA_NUM_PARTITIONS to what the policy of the cluster allows, or change it (create.topic.policy.class.name)',
  INVALID_REPLICATION_FACTOR:
    'set KAFKA_REPLICATION_FACTOR to at most the number of brokers (before Kafka 2.4 it has to be a number)',
  INVALID_PARTITIONS: 'set KAFKA_NUM_PARTITIONS to a number that the cluster allows',
  INVALID_TOPIC_EXCEPTION: 'choose another name',
};

/** True if the refusal goes away by itself, as while a controller is elected. @param refusal see creationRefusal */
export function isRefusedForNow(refusal: string): boolean {
  for (const { name, outcome } of KAFKA_ERRORS.values())
    if (name === nameOf(refusal)) return outcome !== 'topic';
  return false;
}

/** @param refusal the name of Kafka's error, with a colon and the broker's message if it sent one */
export function creationRefusal({ topic, partitions }: TopicToCreate, refusal: string): string {
  if (isRefusedForNow(refusal))
    return `Topic ${topic} does not exist and could not be created yet (${refusal})`;
  const allow = HOW_TO_ALLOW[nameOf(refusal)] ?? 'allow it';
  return `Topic ${topic} does not exist and Kafka does not let us create it (${refusal}): create it with ${partitions} partitions, or ${allow}`;
}

const nameOf = (refusal: string): string => refusal.split(':', 1)[0] ?? refusal;
