// Which version of each request we speak with a broker: the newest one that both sides have. The broker's
// ApiVersions answer says what it has (https://kafka.apache.org/protocol#The_Messages_ApiVersions).
import { ClusterError } from '../client/cluster-error.ts';

/** By API key, as the broker's ApiVersions answer has it. */
export type BrokerVersions = Readonly<
  Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>
>;

interface Api {
  readonly key: number;
  readonly min: number;
  readonly max: number;
}

/**
 * Our range of each request. The lower ends are those of Kafka 0.11: Produce 3 is the first that carries today's
 * record batches, Metadata 4 the first that can forbid a broker to create the topic by itself. The upper ends are
 * kafkajs's, except for Produce: 7 is the first that may carry zstd, and what later versions add is not used.
 */
const APIS = {
  Produce: { key: 0, min: 3, max: 7 },
  Metadata: { key: 3, min: 4, max: 6 },
  CreateTopics: { key: 19, min: 0, max: 3 },
  InitProducerId: { key: 22, min: 0, max: 1 },
  DescribeConfigs: { key: 32, min: 0, max: 2 },
} as const satisfies Record<string, Api>;

export type ApiName = keyof typeof APIS;

/**
 * The version of this request to use with the broker.
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
