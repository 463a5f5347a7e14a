// Lists the versions of Kafka that can be started here. The tools are always those of the newest version, which work
// with every broker since 2.1.

export interface KafkaVersion {
  readonly name: string;
  /** File in this folder that names the broker's jars. */
  readonly pom: string;
  /** Approximate size of the jars. */
  readonly megabytes: number;
  /** There is a Docker image (apache/kafka). If not, this version runs on Java. */
  readonly hasImage: boolean;
  /** It keeps the cluster's state in ZooKeeper instead of its own quorum. */
  readonly needsZooKeeper: boolean;
  /** Log4j 1 is configured by a file, Log4j 2 by a system property. */
  readonly log4j: 1 | 2;
}

const KRAFT = { hasImage: true, needsZooKeeper: false } as const;

export const NEWEST: KafkaVersion = { name: '4.1.0', pom: 'pom.xml', megabytes: 54, log4j: 2, ...KRAFT };

export const KAFKA_VERSIONS: readonly KafkaVersion[] = [
  NEWEST,
  { name: '3.9.0', pom: 'pom-3.9.0.xml', megabytes: 56, log4j: 1, ...KRAFT },
  { name: '2.8.2', pom: 'pom-2.8.2.xml', megabytes: 36, log4j: 1, hasImage: false, needsZooKeeper: true },
];

/** Undefined if the version is not in the list. */
export const findVersion = (name: string): KafkaVersion | undefined =>
  KAFKA_VERSIONS.find((version) => version.name === name);
