// Accepted readings go to several topics, with a model cluster: each topic has its own batches, partitions and place on
// disk, and they share memory, the spool's limit, the dead letters and the balance of records.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { furtherTopics, readingTopics } from '../../../src/config/reading-topics.ts';
import type { Settings } from '../../../src/config/settings.ts';
import type { Kafka } from '../../../src/kafka/kafka.ts';
import { gatewayTopics } from '../../../src/kafka/topics/gateway-topics.ts';
import { ModelCluster } from '../../crash/model-cluster.ts';
import { kafkaOn, LETTERS, READINGS, settingsFor, startKafka, until } from '../../crash/scene.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import { fakeSession, reading } from '../delivery/fakes.ts';

const FURTHER = ['syslog', 'app-logs'] as const;
const INVALID_RECORD = 87;

const linesTo = (...topics: string[]): Partial<Settings> => ({
  TCP_LINES_PORT: 0,
  TCP_LINES_TOPIC: null,
  TCP_LINES_TOPICS: topics,
});

function clusterWith(...topics: string[]): ModelCluster {
  const cluster = new ModelCluster();
  for (const topic of topics) cluster.create(topic, 2);
  return cluster;
}

async function start(
  t: TestContext,
  { directory = temporaryDirectory(t), topics = FURTHER as readonly string[], cluster = new ModelCluster() },
): Promise<{ kafka: Kafka; directory: string; cluster: ModelCluster; settings: Settings }> {
  const settings = settingsFor(directory, linesTo(...topics));
  const kafka = kafkaOn(settings, cluster);
  t.after(() => kafka.close());
  await startKafka(kafka, directory);
  return { kafka, directory, cluster, settings };
}

/** Appends readings of one connection, and closes their batch. */
function send(kafka: Kafka, topic: string, ids: readonly number[]): void {
  const session = fakeSession('10001', `to-${topic}`);
  for (const id of ids) kafka.sinkOf(topic).append(session, reading(`{"id":${id}}`, { seq: id }));
  for (const { pipeline } of kafka.readings.all) pipeline.batcher.flush();
}

/** accepted + recovered = all states, over all topics and those that are no longer named. */
function assertBalanced({ readings, orphans }: Kafka): void {
  const { accepted, recovered, ...states } = readings.records;
  const { recovered: found, ...others } = orphans.records;
  const sum = (counts: object) =>
    Object.values(counts).reduce((total: number, one: number) => total + one, 0);
  assert.equal(sum(states) + sum(others), accepted + recovered + found);
}

function idsIn(cluster: ModelCluster, topic: string): number[] {
  return cluster.arrivedIn(topic).map(({ value }) => Number(/"id":(\d+)/.exec(value)?.[1]));
}

test('only the topics of an open port for plain lines are further topics, each once', () => {
  const names = {
    KAFKA_TOPIC_METRICS: 'm',
    TCP_LINES_PORT: null,
    TCP_LINES_TOPIC: 'a',
    TCP_LINES_TOPICS: ['b', 'm', 'a', 'b'],
  };
  assert.deepEqual(readingTopics(names), ['m']);
  assert.deepEqual(readingTopics({ ...names, TCP_LINES_PORT: 0 }), ['m', 'a', 'b']);
  assert.deepEqual(furtherTopics({}), []);
});

test('without further topics there is one pipeline, and its sink is that of the readings topic', async (t) => {
  const { kafka, settings } = await start(t, { topics: [] });
  assert.deepEqual([...kafka.readings.sinks.keys()], [READINGS]);
  assert.equal(kafka.sinkOf(READINGS), kafka.batcher);
  assert.throws(() => kafka.sinkOf('syslog'), /no pipeline for topic syslog/);
  assert.deepEqual(
    gatewayTopics(settings).map(({ topic, isWritten }) => [topic, isWritten]),
    [
      [READINGS, true],
      [LETTERS, true],
      [settings.KAFKA_TOPIC_ALARMS, false],
    ],
  );
});

test('each topic gets its own readings, and missing topics are created', async (t) => {
  const { kafka, cluster } = await start(t, {});
  send(kafka, READINGS, [1, 2]);
  send(kafka, 'syslog', [3, 4]);
  send(kafka, 'app-logs', [5]);
  await until(() => kafka.readings.records.confirmed === 5, 'all are confirmed');
  assert.deepEqual(idsIn(cluster, READINGS), [1, 2]);
  assert.deepEqual(idsIn(cluster, 'syslog'), [3, 4]);
  assert.deepEqual(idsIn(cluster, 'app-logs'), [5]);
  assertBalanced(kafka);
});

test('in an outage each topic goes to the disk, and the next start sends each to its topic, in order', async (t) => {
  const cluster = clusterWith(READINGS, ...FURTHER);
  const { kafka, directory } = await start(t, { cluster });
  send(kafka, 'syslog', [1, 2]);
  await until(() => kafka.readings.records.confirmed === 2, 'Kafka takes records');
  cluster.isReachable = false;
  send(kafka, READINGS, [3]);
  send(kafka, 'syslog', [4, 5]);
  send(kafka, 'app-logs', [6]);
  await until(() => kafka.readings.records.spooled === 4, 'all are on disk');
  assertBalanced(kafka);
  await kafka.flushToSpool(Promise.resolve());
  await kafka.close();

  const next = await start(t, { cluster, directory });
  assert.equal(next.kafka.readings.records.recovered, 4);
  assert.equal(next.kafka.orphans.records.recovered, 0);
  assert.equal(next.kafka.spoolCap.bytes > 0, true);
  assertBalanced(next.kafka);
  send(next.kafka, 'syslog', [7]);
  cluster.isReachable = true;
  await until(() => next.kafka.readings.records.confirmed === 5, 'all are sent');
  assert.deepEqual(idsIn(cluster, READINGS), [3]);
  assert.deepEqual(idsIn(cluster, 'syslog'), [1, 2, 4, 5, 7]);
  assert.deepEqual(idsIn(cluster, 'app-logs'), [6]);
  assertBalanced(next.kafka);
});

test('a topic that is no longer named is sent as a former topic is', async (t) => {
  const cluster = clusterWith(READINGS, ...FURTHER);
  cluster.isReachable = false;
  const { kafka, directory } = await start(t, { cluster });
  send(kafka, 'syslog', [1]);
  send(kafka, 'app-logs', [2, 3]);
  await kafka.flushToSpool(Promise.resolve());
  await kafka.close();

  const next = await start(t, { cluster, directory, topics: ['syslog'] });
  assert.deepEqual(
    next.kafka.orphans.otherTopics.map(({ topic, records }) => [topic, records]),
    [['app-logs', 2]],
  );
  assert.equal(next.kafka.readings.records.recovered, 1);
  assertBalanced(next.kafka);
  cluster.isReachable = true;
  await until(() => next.kafka.orphans.records.confirmed === 2, 'the former topic is sent');
  await until(() => next.kafka.readings.records.confirmed === 1, 'the other is sent');
  assert.deepEqual(idsIn(cluster, 'app-logs'), [2, 3]);
  assertBalanced(next.kafka);
});

test('a topic that Kafka does not take goes to the disk alone', async (t) => {
  const cluster = clusterWith(READINGS, ...FURTHER);
  cluster.fate = (topic) => (topic === 'syslog' ? { kind: 'lost', code: 'TIMEOUT' } : { kind: 'taken' });
  const { kafka } = await start(t, { cluster });
  send(kafka, 'syslog', [1]);
  send(kafka, READINGS, [2]);
  await until(() => kafka.readings.records.spooled === 1, 'the topic is on disk');
  await until(() => kafka.readings.records.confirmed === 1, 'the other is taken');
  await until(() => kafka.readings.spoolingPartitions === 1, 'no other partition is on disk');
  assertBalanced(kafka);
  cluster.fate = () => ({ kind: 'taken' });
  await until(() => kafka.readings.records.confirmed === 2, 'it is taken as well');
});

test('a refused record of a further topic becomes a dead letter that names it', async (t) => {
  const cluster = clusterWith(READINGS, ...FURTHER);
  cluster.check = (topic, { value }) =>
    topic === 'syslog' && value.includes('"id":2}') ? INVALID_RECORD : 0;
  const { kafka } = await start(t, { cluster });
  const letters = t.mock.method(kafka.deadLetters, 'record');
  send(kafka, 'syslog', [1, 2, 3]);
  await until(() => kafka.readings.records.deadLettered === 1, 'the letter is kept');
  await until(() => kafka.readings.records.confirmed === 2, 'the others are taken');
  await until(() => kafka.deadLetters.sent === 1, 'the letter is sent');
  assert.deepEqual(
    letters.mock.calls.map(({ arguments: [letter] }) => letter.topic),
    ['syslog'],
  );
  assertBalanced(kafka);
});

test('all topics share the memory for unconfirmed records, and no two have a partition number in common', async (t) => {
  const cluster = clusterWith(READINGS, ...FURTHER);
  const { kafka } = await start(t, { cluster });
  const { all } = kafka.readings;
  for (const { pipeline } of all) assert.equal(pipeline.budget, kafka.budget);
  await until(() => all.every(({ pipeline }) => pipeline.batcher.partitions === 2), 'partitions are known');
  const partitions = all.map(({ topic }) => {
    const session = fakeSession('10001');
    kafka.sinkOf(topic).append(session, reading('{"n":1}'));
    return session.partition;
  });
  assert.equal(new Set(partitions).size, all.length);
  const [, second] = all;
  second?.pipeline.batcher.congested((partitions[1] ?? 0) % 2 ** 20, true);
  const { congestion } = kafka.batcher;
  assert.deepEqual(
    partitions.map((one) => congestion.includes(one)),
    [false, true, false],
  );
});
