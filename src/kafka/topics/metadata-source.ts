// The requests about topics that the metadata refresher makes. KafkaClient answers them, and tests script the answers.
import type { KafkaClient } from '../client/kafka-client.ts';

/** Each call ends within a time limit, and rejects with ClusterError if no broker answered. */
export type MetadataSource = Pick<
  KafkaClient,
  'topicMetadata' | 'createTopic' | 'topicLimits' | 'initProducerId' | 'connectTo'
>;
