// The payload and the decoded answer of each control request. It sends none.
import type { FetchAnswer } from '../wire/fetch-answer.ts';
import type { QuorumClock } from '../wire/quorum-clock.ts';
import type { ApiName } from './api-versions.ts';

export interface MetadataAnswer {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    partitionMetadata: readonly {
      partitionErrorCode: number;
      partitionId: number;
      leader: number;
      replicas: readonly number[];
      isr: readonly number[];
    }[];
    /** Our rights (wire/rights.ts). Undefined unless they were asked for. */
    operations?: number;
  }[];
  /** Our rights on the cluster. */
  readonly clusterOperations?: number;
}

/** Payload and decoded answer of each control request. */
export interface ControlApis {
  Metadata: {
    payload: { topics: readonly string[]; allowAutoTopicCreation: boolean };
    answer: MetadataAnswer;
  };
  /** Metadata with the rights of our login. */
  Rights: {
    payload: { topics: readonly string[] };
    answer: MetadataAnswer;
  };
  DescribeQuorum: { payload: Record<never, never>; answer: QuorumClock };
  CreateTopics: {
    payload: {
      topics: readonly {
        topic: string;
        numPartitions: number;
        replicationFactor: number;
        configEntries: readonly { name: string; value: string }[];
      }[];
      timeout: number;
      /** Creates nothing: the answer is that to a real request. */
      validateOnly?: boolean;
    };
    answer: {
      topicErrors: readonly { topic: string; errorCode: number; errorMessage?: string | null }[];
    };
  };
  Fetch: {
    payload: {
      maxWaitTime: number;
      minBytes: number;
      maxBytes: number;
      isolationLevel: 0 | 1;
      topics: readonly {
        topic: string;
        partitions: readonly { partition: number; fetchOffset: number; maxBytes: number }[];
      }[];
    };
    answer: FetchAnswer;
  };
  ListOffsets: {
    payload: {
      replicaId: -1;
      isolationLevel: 0 | 1;
      topics: readonly { topic: string; partitions: readonly { partition: number; timestamp: number }[] }[];
    };
    answer: {
      responses: readonly {
        topic: string;
        partitions: readonly { partition: number; errorCode: number; offset: string }[];
      }[];
    };
  };
  InitProducerId: {
    payload: { transactionalId: string | null; transactionTimeout: number };
    answer: { errorCode: number; producerId: string; producerEpoch: number };
  };
  DescribeConfigs: {
    payload: { resources: readonly { type: number; name: string; configNames: readonly string[] }[] };
    answer: {
      resources: readonly {
        errorCode: number;
        configEntries: readonly { configName: string; configValue: string | null }[];
      }[];
    };
  };
}

export type ControlApi = keyof ControlApis & ApiName;
