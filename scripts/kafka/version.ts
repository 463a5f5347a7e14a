// Lists the versions of Kafka that can be started here, and how each differs as a program.

export interface KafkaVersion {
  readonly name: string;
  /** Approximate size of the jars. */
  readonly megabytes: number;
  /** There is a Docker image (apache/kafka). If not, this version runs on Java. */
  readonly hasImage: boolean;
  /** It keeps the cluster's state in ZooKeeper instead of its own quorum. */
  readonly needsZooKeeper: boolean;
  /** Log4j 1 is configured by a file, Log4j 2 by a system property. */
  readonly log4j: 1 | 2;
  readonly scala: '2.12' | '2.13';
  /** It uses JAXB, which Java has lost since. */
  readonly needsJaxb: boolean;
  /** The class that decides about rights (authorizer.class.name). */
  readonly authorizer: string;
  /** The version whose tools speak with this broker: tools of Kafka 4 need a broker of 2.1 or later. */
  readonly tools: '4.1.0' | '3.9.2';
  /** Its brokers take the requests by which tools set quotas and passwords and find the files of a partition. */
  readonly takesAdminRequests: boolean;
  /** Replicas of topics that tests create. -1 is the broker's own number, which Kafka knows since 2.4. */
  readonly replicas: -1 | 1;
  /** It lacks versions of requests that Sluice needs, so Sluice has to refuse it. */
  readonly isTooOld: boolean;
}

type Known = Omit<KafkaVersion, 'name' | 'megabytes'>;

const KRAFT: Known = {
  hasImage: true,
  needsZooKeeper: false,
  log4j: 2,
  scala: '2.13',
  needsJaxb: false,
  authorizer: 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  tools: '4.1.0',
  takesAdminRequests: true,
  replicas: -1,
  isTooOld: false,
};
const ZOOKEEPER: Known = {
  ...KRAFT,
  hasImage: false,
  needsZooKeeper: true,
  log4j: 1,
  authorizer: 'kafka.security.authorizer.AclAuthorizer',
};
/** From before Kafka 2.1. */
const OLD: Known = {
  ...ZOOKEEPER,
  scala: '2.12',
  needsJaxb: true,
  authorizer: 'kafka.security.auth.SimpleAclAuthorizer',
  tools: '3.9.2',
  takesAdminRequests: false,
  replicas: 1,
};

/** The Kafka of the tests and of `npm run kafka`. */
export const USUAL: KafkaVersion = { name: '4.1.0', megabytes: 54, ...KRAFT };

export const KAFKA_VERSIONS: readonly KafkaVersion[] = [
  { name: '4.4.0', megabytes: 43, ...KRAFT },
  USUAL,
  { name: '3.9.2', megabytes: 56, ...KRAFT, log4j: 1 },
  { name: '2.8.2', megabytes: 36, ...ZOOKEEPER },
  { name: '0.11.0.3', megabytes: 14, ...OLD },
  { name: '0.10.2.2', megabytes: 13, ...OLD, isTooOld: true },
];

/** Undefined if the version is not in the list. */
export const findVersion = (name: string): KafkaVersion | undefined =>
  KAFKA_VERSIONS.find((version) => version.name === name);

/** The version of SLUICE_KAFKA_VERSION, or the usual one. Wrong names are refused by wantedVersion (runtime.ts). */
export const chosenVersion = (): KafkaVersion => findVersion(process.env.SLUICE_KAFKA_VERSION ?? '') ?? USUAL;
