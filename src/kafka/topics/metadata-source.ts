// Kafka as the metadata refresher sees it: the requests about topics, not the records. KafkaClient is the real one.
import type { MetadataQuestion, TopicLimits, TopicMetadata, TopicToCreate } from '../client/kafka-client.ts';
import type { ProducerIdentity } from '../delivery/producer-sequence.ts';

/** Each call ends within a limit of its own, and rejects with ClusterError if no broker answered. */
export interface MetadataSource {
  /** From any broker that answers. A broker that has just started may give an old answer. */
  topicMetadata(topic: string, question?: MetadataQuestion): Promise<TopicMetadata>;
  /** Resolves with the name of Kafka's error if the topic was refused, with null if it exists afterwards or existed. */
  createTopic(topic: TopicToCreate): Promise<string | null>;
  /** Undefined if the broker does not let us read the topic's settings. */
  topicLimits(topic: string): Promise<TopicLimits | undefined>;
  initProducerId(): Promise<ProducerIdentity>;
  /** Connects to a broker for producing. The message of the error names the address and `advertised.listeners`. */
  connectTo(nodeId: number): Promise<void>;
}
