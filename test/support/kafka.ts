// Gives tests a Kafka. The test run starts one broker and passes its address in SLUICE_TEST_KAFKA; tests that stop
// brokers start their own cluster. A file that imports this one counts as needing Kafka (scripts/tests/files.ts).
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { kafkaClient, withAdmin } from '../../scripts/kafka/client.ts';
import { type KafkaCluster, type KafkaOptions, startKafka } from '../../scripts/kafka/cluster.ts';

import { noteRecord } from './traffic/records.ts';

export { BrokerStartError, KafkaBroker } from '../../scripts/kafka/broker.ts';
export { createTopic, deleteTopic, grant, revoke, type TopicOptions } from '../../scripts/kafka/client.ts';
export type { KafkaCluster, KafkaOptions } from '../../scripts/kafka/cluster.ts';
export * from '../../scripts/kafka/java-tools.ts';

const OFFSET_POLL_MS = 100;

export interface SharedKafka {
  /** host:port, comma-separated. */
  readonly bootstrap: string;
}

/** The Kafka of this run. Other test files use it too: use a topic of your own and leave the brokers alone. */
export function sharedKafka(): SharedKafka | undefined {
  const bootstrap = process.env.SLUICE_TEST_KAFKA;
  return bootstrap ? { bootstrap } : undefined;
}

/** Registers a test that needs the shared Kafka. It is skipped if there is none. */
export function kafkaTest(name: string, fn: (kafka: SharedKafka, t: TestContext) => Promise<void>): void {
  const kafka = sharedKafka();
  if (kafka) void test(name, (t) => fn(kafka, t));
  else void test(name, { skip: 'no Kafka (npm test starts one where it can)' });
}

/** Registers a test that starts brokers with startCluster. It is skipped if there is neither Docker nor Java. */
export function clusterTest(name: string, fn: (t: TestContext) => Promise<void>): void {
  const runtime = process.env.SLUICE_TEST_KAFKA_RUNTIME ?? 'none';
  if (runtime !== 'none') void test(name, fn);
  else
    void test(name, {
      skip: 'nothing to run brokers on (npm test looks for Docker and Java)',
    });
}

/**
 * For tests that kill brokers. The controller admits a killed broker again only after its former session has ended, which
 * takes 9 s by default.
 */
export const SHORT_SESSION = {
  'broker.session.timeout.ms': '4000',
  'broker.heartbeat.interval.ms': '1000',
} as const;

/** A cluster for one test. The caller stops it, in a `finally` or `t.after`. */
export const startCluster = (options: KafkaOptions = {}): Promise<KafkaCluster> =>
  startKafka({ quickJit: true, ...options });

export const uniqueTopic = (prefix: string): string => `${prefix}.${randomBytes(6).toString('hex')}`;

export interface ReadRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** A name that occurs several times has all its values. */
  readonly headers: Readonly<Record<string, readonly Buffer[]>>;
  readonly timestamp: number;
}

/**
 * Waits until the topic holds `expectedCount` records and returns all its records, by partition, then offset, so that
 * duplicates show. Throws after `deadlineMs`. It reads with kafkajs, which is fast but needs the codec of compressed
 * records registered. Only consoleConsumer judges compression.
 */
export async function readTopic(
  bootstrap: string,
  topic: string,
  expectedCount: number,
  deadlineMs = 20_000,
): Promise<ReadRecord[]> {
  const deadline = performance.now() + deadlineMs;
  const ends = await endOffsets(bootstrap, topic, expectedCount, deadline);
  const records: ReadRecord[] = [];
  if (ends.size > 0) await readUntil(bootstrap, topic, ends, deadline, records);
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/** The last offset of each partition that holds anything. */
async function endOffsets(
  bootstrap: string,
  topic: string,
  expectedCount: number,
  deadline: number,
): Promise<Map<number, number>> {
  return await withAdmin(bootstrap, async (admin) => {
    for (;;) {
      // A missing topic, or one without a leader, counts as empty.
      const offsets = await admin.fetchTopicOffsets(topic).catch(() => []);
      const held = offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
      if (held >= expectedCount) {
        const filled = offsets.filter(({ high, low }) => Number(high) > Number(low));
        return new Map(filled.map(({ partition, high }) => [partition, Number(high) - 1]));
      }
      if (performance.now() > deadline) throw new Error(`${topic} holds ${held} of ${expectedCount} records`);
      await sleep(OFFSET_POLL_MS);
    }
  });
}

async function readUntil(
  bootstrap: string,
  topic: string,
  ends: Map<number, number>,
  deadline: number,
  records: ReadRecord[],
): Promise<void> {
  const options = { groupId: uniqueTopic('read'), maxWaitTimeInMs: 100 };
  const consumer = kafkaClient(bootstrap, 30).consumer(options);
  let finish = (): void => {};
  let fail = (_: Error): void => {};
  const done = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  // Awaited later than it may fail.
  done.catch(() => {});
  const timer = setTimeout(
    () => fail(new Error(`${topic}: ${records.length} records were read by the deadline`)),
    Math.max(0, deadline - performance.now()),
  );
  consumer.on('consumer.crash', ({ payload }) => {
    // A broker that has just started still loads its coordinator. After the first record a restart would read twice.
    if (!payload.restart || records.length > 0) fail(payload.error);
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const end = ends.get(batch.partition);
        if (end === undefined) return;
        for (const message of batch.messages) {
          const offset = Number(message.offset);
          if (offset > end) break;
          const { key, value } = message;
          const timestamp = Number(message.timestamp);
          const held = Object.entries(message.headers ?? {});
          const headers = Object.fromEntries(
            held.map(([name, values]) => [name, [values ?? []].flat().map(toBuffer)]),
          );
          records.push({ partition: batch.partition, offset, key, value, headers, timestamp });
          noteRecord(topic, { key, value, headers });
        }
        if (Number(batch.lastOffset()) >= end) ends.delete(batch.partition);
        if (ends.size === 0) finish();
      },
    });
    await done;
  } finally {
    clearTimeout(timer);
    await consumer.disconnect().catch(() => {});
  }
}

const toBuffer = (value: Buffer | string): Buffer => (typeof value === 'string' ? Buffer.from(value) : value);
