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

export const API_NAMES = Object.keys(APIS) as readonly ApiName[];

/** Named in every refusal: without these a broker takes no record. */
const NEEDED = ['Metadata', 'Produce', 'InitProducerId'] as const;
/** Without these a connection is of no use. */
const ALWAYS_NEEDED = ['Metadata', 'Produce'] as const;
/** The oldest release whose versions we speak. `npm run compatibility` runs it, and a broker of 0.10 that is refused. */
const OLDEST_KAFKA = '0.11';

/**
 * @param address host:port, for the message
 * @throws ClusterError UNSUPPORTED if the broker and we have no version in common
 */
export function chooseVersion(versions: BrokerVersions, api: ApiName, address: string): number {
  const version = commonVersion(versions, api);
  if (version === undefined) throw refusal(versions, api, address);
  return version;
}

/**
 * Finds a broker that is too old or too new before anything is asked, so that the refusal does not depend on the request
 * that happens to come first.
 * @param address host:port, for the message
 * @throws ClusterError UNSUPPORTED
 */
export function checkVersions(versions: BrokerVersions, address: string): void {
  for (const api of ALWAYS_NEEDED) chooseVersion(versions, api, address);
}

/** The newest version of both sides. */
export function commonVersion(versions: BrokerVersions, api: ApiName): number | undefined {
  const { key, min, max } = APIS[api];
  const theirs = versions[key];
  if (theirs === undefined) return undefined;
  const version = Math.min(max, theirs.maxVersion);
  return version >= Math.max(min, theirs.minVersion) ? version : undefined;
}

function refusal(versions: BrokerVersions, api: ApiName, address: string): ClusterError {
  const { key, max } = APIS[api];
  const theirs = versions[key];
  if (theirs === undefined && versions[VOTE] !== undefined)
    return new ClusterError(
      'UNSUPPORTED',
      `${address} is the port of a controller and not that of a broker: name a listener for clients in KAFKA_BROKERS, often at port 9092`,
    );
  const gaps = [...new Set<ApiName>([api, ...NEEDED])]
    .filter((name) => commonVersion(versions, name) === undefined)
    .map((name) => gapText(versions, name));
  const isTooNew = theirs !== undefined && theirs.minVersion > max;
  const isTooOld = theirs !== undefined && !isTooNew;
  const verdict = isTooOld ? 'is too old' : isTooNew ? 'is too new' : 'lacks a request';
  const remedy = isTooNew
    ? 'use a newer Sluice'
    : `use Apache Kafka ${OLDEST_KAFKA} or later, or a service that speaks its requests`;
  return new ClusterError('UNSUPPORTED', `the broker ${address} ${verdict}: ${gaps.join(', ')}; ${remedy}`);
}

function gapText(versions: BrokerVersions, api: ApiName): string {
  const { key, min, max } = APIS[api];
  const theirs = versions[key];
  const ours = `Sluice: ${min} to ${max}`;
  if (theirs === undefined) return `it does not know the request ${api} (${ours})`;
  return `it speaks ${api} in the versions ${theirs.minVersion} to ${theirs.maxVersion} (${ours})`;
}
