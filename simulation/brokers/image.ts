// The state of a simulated cluster as its controller tells it to the brokers. An image never changes; each broker has the
// latest that reached it.
import type { TopicSettings } from './topic-config.ts';

export interface NodeAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export interface PartitionImage {
  /** Node id, -1 = none. */
  readonly leader: number;
  readonly epoch: number;
  /** Rises with each change of the partition. */
  readonly version: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

export interface TopicImage {
  /** A topic that is created again has another id. */
  readonly id: number;
  readonly name: string;
  readonly settings: TopicSettings;
  readonly partitions: readonly PartitionImage[];
}

export interface Image {
  readonly version: number;
  readonly clusterId: string;
  readonly controllerId: number;
  /** Those that are alive, as far as the controller knows. */
  readonly brokers: readonly NodeAddress[];
  readonly topics: ReadonlyMap<string, TopicImage>;
}

/** Names a partition of one topic id. */
export const partitionKey = (topicId: number, partition: number): string => `${topicId}/${partition}`;
