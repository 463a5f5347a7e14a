// The requests about topics that the metadata refresher makes. KafkaClient implements them.
import type { ProducerIdentity } from '../batches/record-batch.ts';
import type { MetadataQuestion, TopicLimits, TopicMetadata, TopicToCreate } from '../client/kafka-client.ts';

/** Each call ends within a time limit, and rejects with ClusterError if no broker answered. */
export interface MetadataSource {
  /** The answer of any broker. A broker that has just started may give an old one. */
  topicMetadata(topic: string, question?: MetadataQuestion): Promise<TopicMetadata>;
  /** Resolves with null if the topic exists afterwards, else with Kafka's reason for refusing. */
  createTopic(topic: TopicToCreate): Promise<string | null>;
  /** Undefined if the broker does not let us read the topic's settings. */
  topicLimits(topic: string): Promise<TopicLimits | undefined>;
  initProducerId(): Promise<ProducerIdentity>;
  /** Connects to a broker for producing. The error names its address and `advertised.listeners`. */
  connectTo(nodeId: number): Promise<void>;
}
