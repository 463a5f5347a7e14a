// Chooses the version of each request to a broker: the newest that both sides support. The broker's ApiVersions answer
// lists its versions (https://kafka.apache.org/protocol#The_Messages_ApiVersions).
import { ClusterError } from './cluster-error.ts';

/** By API key, from the broker's ApiVersions answer. */
export type BrokerVersions = Readonly<
  Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>
>;

/**
 * Our range for each request. The minimum is that of Kafka 0.11: Produce 3 is the first version with record batches of
 * magic 2, and Metadata 4 the first that can forbid a broker to create the topic by itself. The maximum is that of
 * kafkajs, except for Produce: 7 is the first version that may carry zstd, and we need nothing that came later.
 */
const APIS = {
  Produce: { key: 0, min: 3, max: 7 },
  Fetch: { key: 1, min: 4, max: 11 },
  ListOffsets: { key: 2, min: 1, max: 3 },
  Metadata: { key: 3, min: 4, max: 6 },
  Rights: { key: 3, min: 8, max: 8 },
  CreateTopics: { key: 19, min: 0, max: 3 },
  InitProducerId: { key: 22, min: 0, max: 1 },
  DescribeConfigs: { key: 32, min: 0, max: 2 },
  DescribeQuorum: { key: 55, min: 1, max: 1 },
} as const;

/** The request by which the controllers of KRaft elect their leader. Listeners of brokers do not know it. */
const VOTE = 52;

export type ApiName = keyof typeof APIS;

/**
 * @param address host:port, for the message
 * @throws ClusterError UNSUPPORTED if the broker and we have no version in common
 */
export function chooseVersion(versions: BrokerVersions, api: ApiName, address: string): number {
  const { key, min, max } = APIS[api];
  const theirs = versions[key];
  if (theirs !== undefined) {
    const version = Math.min(max, theirs.maxVersion);
    if (version >= Math.max(min, theirs.minVersion)) return version;
  }
  if (theirs === undefined && versions[VOTE] !== undefined)
    throw new ClusterError(
      'UNSUPPORTED',
      `${address} is the port of a controller and not that of a broker: name a listener for clients in KAFKA_BROKERS, often at port 9092`,
    );
  const has =
    theirs === undefined
      ? `does not know the request ${api}`
      : `speaks ${api} in the versions ${theirs.minVersion} to ${theirs.maxVersion}`;
  throw new ClusterError(
    'UNSUPPORTED',
    `the broker ${address} ${has}; Sluice needs one of ${min} to ${max}, which Apache Kafka 0.11 to 4.x has: ` +
      'use such a Kafka, or a newer Sluice',
  );
}
