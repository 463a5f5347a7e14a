// Makes the kafkajs clients of scripts and tests, for admin requests and for reading. It never judges compressed
// records: the Java tools do.
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { chosenVersion } from './version.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } =
  kafkajs;

/** A client that logs nothing. Without `retries` it tries each request once. */
export function kafkaClient(bootstrap: string, retries = 0): kafkajs.Kafka {
  return new Kafka({
    clientId: 'sluice-local',
    brokers: bootstrap.split(','),
    connectionTimeout: 2_000,
    requestTimeout: 10_000,
    logLevel: logLevel.NOTHING,
    retry: { retries, initialRetryTime: 100, maxRetryTime: 1_000 },
  });
}

export async function withAdmin<T>(
  bootstrap: string,
  work: (admin: kafkajs.Admin) => Promise<T>,
  retries = 5,
): Promise<T> {
  const admin = kafkaClient(bootstrap, retries).admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

/** The ids of the live brokers, from the first broker that answers. Throws if none answers. */
export async function liveBrokers(bootstrap: string): Promise<number[]> {
  const cluster = await withAdmin(bootstrap, (admin) => admin.describeCluster(), 0);
  return cluster.brokers.map((broker) => broker.nodeId);
}

export interface TopicOptions {
  readonly partitions?: number;
  /** Default: the broker's, or 1 if the Kafka of this run is too old to have one. */
  readonly replicationFactor?: number;
  readonly config?: Readonly<Record<string, string>>;
}

/** Creates a topic and waits for its leaders. Throws if the topic exists. */
export async function createTopic(
  bootstrap: string,
  topic: string,
  options: TopicOptions = {},
): Promise<void> {
  const { partitions = 10, replicationFactor = chosenVersion().replicas, config = {} } = options;
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  const topics = [{ topic, numPartitions: partitions, replicationFactor, configEntries }];
  await withAdmin(bootstrap, async (admin) => {
    const created = await admin.createTopics({ topics, waitForLeaders: false });
    if (!created) throw new Error(`topic ${topic} exists already`);
    await untilLed(admin, topic);
  });
}

const LEADERS_TIMEOUT_MS = 30_000;

/** kafkajs's own wait ends with an error if a busy broker does not know the topic at once. */
async function untilLed(admin: kafkajs.Admin, topic: string): Promise<void> {
  const deadlineMs = performance.now() + LEADERS_TIMEOUT_MS;
  for (;;) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      if (topics[0]?.partitions.every(({ leader }) => leader >= 0)) return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    if (performance.now() > deadlineMs) throw new Error(`topic ${topic} has no leaders`);
    await sleep(100);
  }
}

export function deleteTopic(bootstrap: string, topic: string): Promise<void> {
  return withAdmin(bootstrap, (admin) => admin.deleteTopics({ topics: [topic] }));
}

export interface TopicRight {
  readonly user: string;
  readonly topic: string;
  readonly operation: 'READ' | 'WRITE' | 'CREATE' | 'DESCRIBE' | 'DESCRIBE_CONFIGS';
}

/** Grants the right, if the brokers have an authorizer. The first requests after it may still be refused. */
export async function grant(bootstrap: string, right: TopicRight): Promise<void> {
  await withAdmin(bootstrap, (admin) => admin.createAcls({ acl: [aclOf(right)] }));
}

export async function revoke(bootstrap: string, right: TopicRight): Promise<void> {
  await withAdmin(bootstrap, (admin) => admin.deleteAcls({ filters: [aclOf(right)] }));
}

function aclOf({ user, topic, operation }: TopicRight): kafkajs.AclEntry {
  return {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation: AclOperationTypes[operation],
    permissionType: AclPermissionTypes.ALLOW,
  };
}
