// Which Kafka runs beside us: SLUICE_KAFKA_VERSION, or the newest one we know. Tools are always the newest one's:
// they talk to every broker since 2.1, so one judge reads what each version holds.

export interface KafkaVersion {
  readonly name: string;
  /** In this folder; names the jars of the broker. */
  readonly pom: string;
  /** About so much is fetched from Maven. */
  readonly megabytes: number;
  /** There is an image of it (apache/kafka). Without one it runs on Java even when Docker is there. */
  readonly hasImage: boolean;
  /** Its cluster state lies in ZooKeeper instead of its own quorum. */
  readonly needsZooKeeper: boolean;
  /** Log4j 1 is configured by a file, Log4j 2 takes its level from a system property. */
  readonly log4j: 1 | 2;
}

export const NEWEST: KafkaVersion = {
  name: '4.1.0',
  pom: 'pom.xml',
  megabytes: 54,
  hasImage: true,
  needsZooKeeper: false,
  log4j: 2,
};

export const KAFKA_VERSIONS: readonly KafkaVersion[] = [
  NEWEST,
  {
    name: '3.9.0',
    pom: 'pom-3.9.0.xml',
    megabytes: 56,
    hasImage: true,
    needsZooKeeper: false,
    log4j: 1,
  },
  {
    name: '2.8.2',
    pom: 'pom-2.8.2.xml',
    megabytes: 36,
    hasImage: false,
    needsZooKeeper: true,
    log4j: 1,
  },
];

/** Undefined when there is no such version here. */
export const findVersion = (name: string): KafkaVersion | undefined =>
  KAFKA_VERSIONS.find((version) => version.name === name);
