// Topics: created if they are missing, used as they are if they exist, and a clear message if neither works.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { wantedVersion } from '../../scripts/kafka/runtime.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import type { Gateway } from '../support/gateway.ts';
import { kafkaTakes, troublesOf } from '../support/health.ts';
import { createTopic, deleteTopic, readTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet, disconnect, ledgerSize } from './fleet.ts';
import { allConfirmed, assertDelivered, isReady, kafkaGateway, logged, test } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

/** Before Kafka 3.6 one limit covered old and future timestamps. */
const OLDEST_LIMIT = wantedVersion().needsZooKeeper
  ? 'message.timestamp.difference.max.ms'
  : 'message.timestamp.before.max.ms';

function topicNames() {
  return { metrics: uniqueTopic('t.metrics'), alarms: uniqueTopic('t.alarms'), dead: uniqueTopic('t.dead') };
}

function start(
  t: TestContext,
  bootstrap: string,
  { metrics, alarms, dead }: ReturnType<typeof topicNames>,
  env: Record<string, string> = {},
): Promise<Gateway> {
  const topics = { KAFKA_TOPIC_ALARMS: alarms, KAFKA_TOPIC_DEAD_LETTERS: dead };
  return kafkaGateway(t, bootstrap, metrics, { ...topics, ...env });
}

/** The number of partitions of each of these topics that exists. */
function partitionsOf(bootstrap: string, topics: readonly string[]): Promise<Record<string, number>> {
  return withAdmin(bootstrap, async (admin) => {
    const existing = new Set(await admin.listTopics());
    const { topics: found } = await admin.fetchTopicMetadata({
      topics: topics.filter((topic) => existing.has(topic)),
    });
    return Object.fromEntries(found.map(({ name, partitions }) => [name, partitions.length]));
  });
}

/** Deletes the topic. Resolves when the broker no longer takes records for it. */
async function remove(bootstrap: string, topic: string): Promise<void> {
  await deleteTopic(bootstrap, topic);
  // Only by name: asking for its partitions fails if it disappears between the two requests.
  await waitFor('the topic is gone', () =>
    withAdmin(bootstrap, async (admin) => !(await admin.listTopics()).includes(topic)),
  );
}

test('missing topics are created with their numbers of partitions', async (t, bootstrap) => {
  const names = topicNames();
  const { metrics, alarms, dead } = names;
  const gateway = await start(t, bootstrap, names, { KAFKA_NUM_PARTITIONS: '7' });
  await waitFor('three topics are created', () => logged(gateway, ' created').length === 3);
  // The broker answers before its own metadata has the new topic.
  const found = await waitFor('the broker lists them', async () => {
    const topics = await partitionsOf(bootstrap, Object.values(names));
    return Object.keys(topics).length === 3 && topics;
  });
  assert.deepEqual(found, { [metrics]: 7, [alarms]: 1, [dead]: 7 });
  assert.equal(gateway.snapshot().kafka.partitions, 7);
  assert.ok(kafkaTakes(gateway.snapshot()));

  // A second gateway finds them and creates none.
  const second = await start(t, bootstrap, names, { KAFKA_NUM_PARTITIONS: '5' });
  await isReady(second);
  assert.equal(second.snapshot().kafka.partitions, 7);
  assert.deepEqual(logged(second, ' created'), []);
});

test('with KAFKA_TOPIC_DEAD_LETTERS empty no dead-letter topic is created', async (t, bootstrap) => {
  const names = { ...topicNames(), dead: '' };
  const gateway = await start(t, bootstrap, names);
  await waitFor(
    'the topic of alarms is created',
    () => logged(gateway, `${names.alarms} created`).length > 0,
  );
  await isReady(gateway);
  await gateway.stop();
  assert.deepEqual(
    gateway.log.filter(({ event }) => event === 'topic_created').map(({ topic }) => topic),
    [names.metrics, names.alarms],
  );
});

test('if the topic may not be created, the log names it, the reason and what to do, and devices are served', async (t, bootstrap) => {
  const names = topicNames();
  // A single broker cannot hold fifty replicas, so Kafka refuses to create the topic.
  const gateway = await start(t, bootstrap, names, {
    KAFKA_REPLICATION_FACTOR: '50',
    KAFKA_NUM_PARTITIONS: '6',
    SHUTDOWN_TIMEOUT: '200ms',
  });
  const [line] = await waitFor('a line about it', () => {
    const lines = logged(gateway, 'does not exist').filter(({ level }) => level >= 40);
    return lines.length > 0 && lines;
  });
  for (const part of [
    names.metrics,
    'INVALID_REPLICATION_FACTOR',
    'create it with 6 partitions',
    'their readings go to the spool',
  ]) {
    assert.ok(line?.msg.includes(part), `${part} in: ${line?.msg}`);
  }
  const snapshot = gateway.snapshot();
  assert.equal(snapshot.readiness.ready, true);
  const missing = `topic ${names.metrics} failed \\(unusable\\): Topic ${names.metrics} does not exist`;
  assert.match(troublesOf(snapshot), new RegExp(missing));
  const device = await Device.identified(gateway.port);
  device.sendMessages({ type: 'metrics', seq: 1, data: { a: 1 } }, { type: 'keepalive' });
  assert.equal((await device.read()).status, 'alive');
  assert.equal(gateway.snapshot().records.accepted, 1);

  // An operator creates it, and the waiting record arrives.
  await createTopic(bootstrap, names.metrics, { partitions: 2 });
  assert.deepEqual(await device.read(), { type: 'ack', status: 'stored', seq: 1 });
  assert.equal((await readTopic(bootstrap, names.metrics, 1)).length, 1);
  device.destroy();
  // The log says it once, not at each try.
  const warned = logged(gateway, `${names.metrics} does not exist`).filter(({ level }) => level >= 40);
  assert.equal(warned.length, 1);
});

for (const [assumed, real] of [
  [10, 3],
  [3, 16],
] as const) {
  test(`records that waited for Kafka under KAFKA_NUM_PARTITIONS=${assumed} go where Java puts them in a topic of ${real}`, async (t, bootstrap) => {
    const names = topicNames();
    await createTopic(bootstrap, names.metrics, { partitions: real });
    const proxy = await TcpProxy.reserve(bootstrap);
    t.after(() => proxy.close());
    const gateway = await start(t, proxy.address, names, {
      KAFKA_NUM_PARTITIONS: String(assumed),
      KAFKA_BATCH_SIZE: '40',
    });
    const fleet = await connectFleet(t, gateway, { devices: 60, zipcodes: 23 });
    for (let round = 0; round < 6; round++) for (const device of fleet) device.sendShaped([1, 3, 1]);
    await waitFor('all records are on disk', () => gateway.snapshot().records.spooled === ledgerSize(fleet));
    const snapshot = gateway.snapshot();
    const { records, readiness } = snapshot;
    assert.equal(records.confirmed, 0);
    assert.equal(readiness.ready, true);
    assert.match(troublesOf(snapshot), /kafka failed \(unreachable\): .*ECONNREFUSED/);
    await allStored(fleet);

    await proxy.listen();
    for (const device of fleet) device.sendShaped([1, 2]);
    await allStored(fleet);
    for (const device of fleet) device.send();
    await allStored(fleet);
    await allConfirmed(gateway, fleet);
    await assertDelivered(bootstrap, names.metrics, { fleet, partitions: real });
    assert.ok(kafkaTakes(gateway.snapshot()));
    assert.equal(gateway.snapshot().kafka.bufferBytes, 0);
  });
}

test('records in open batches are delivered or spooled when the gateway stops, and the next gateway sends spooled ones', async (t, bootstrap) => {
  const names = topicNames();
  await createTopic(bootstrap, names.metrics, { partitions: 4 });
  const proxy = await TcpProxy.reserve(bootstrap);
  t.after(() => proxy.close());
  // The linger is longer than the shutdown, so the shutdown itself has to close open batches.
  const env = { KAFKA_BATCH_TIMEOUT: '30s', SPOOL_DIR: temporaryDirectory(t) };
  const gateway = await start(t, proxy.address, names, env);
  const fleet = await connectFleet(t, gateway, { devices: 20, zipcodes: 20 });
  for (const device of fleet) device.send(3);
  await waitFor('all records wait', () => gateway.snapshot().records.accepted === ledgerSize(fleet));
  const stopped = gateway.stop();
  await proxy.listen();
  assert.equal((await stopped).unconfirmed, 0);
  for (const device of fleet) assert.equal(device.lastStored, 3);
  const next = await start(t, proxy.address, names, env);
  await waitFor(
    'the spool is drained',
    () => kafkaTakes(next.snapshot()) && next.snapshot().records.spooled === 0,
  );
  await assertDelivered(bootstrap, names.metrics, { fleet, partitions: 4 });
});

test('a topic that is deleted while the gateway runs is created again with as many partitions, and readings stored meanwhile arrive', async (t, bootstrap) => {
  const names = topicNames();
  await createTopic(bootstrap, names.metrics, { partitions: 3 });
  const gateway = await start(t, bootstrap, names, { KAFKA_NUM_PARTITIONS: '8' });
  const before = await connectFleet(t, gateway, { devices: 10, zipcodes: 10 });
  for (const device of before) device.send(2);
  await allStored(before);
  disconnect(before);
  await allConfirmed(gateway, before);

  await remove(bootstrap, names.metrics);
  const fleet = await connectFleet(t, gateway, { devices: 20, zipcodes: 20 });
  for (const device of fleet) device.sendShaped([1, 2]);
  await allStored(fleet);
  await waitFor('it is created again', () => logged(gateway, `${names.metrics} created again`).length === 1);
  for (const device of fleet) device.send(2);
  await allStored(fleet);
  await allConfirmed(gateway, [...before, ...fleet]);
  await assertDelivered(bootstrap, names.metrics, { fleet, partitions: 3 });
  await isReady(gateway);
});

test('a topic that somebody deletes and creates with more partitions is used as it is', async (t, bootstrap) => {
  const names = topicNames();
  await createTopic(bootstrap, names.metrics, { partitions: 2 });
  const gateway = await start(t, bootstrap, names);
  await isReady(gateway);
  await remove(bootstrap, names.metrics);
  const fleet = await connectFleet(t, gateway, { devices: 20, zipcodes: 20 });
  for (const device of fleet) device.send(2);
  await allStored(fleet);
  await createTopic(bootstrap, names.metrics, { partitions: 5 });
  await waitFor('the partitions are known', () => gateway.snapshot().kafka.partitions === 5);
  await allConfirmed(gateway, fleet);
  // Waiting records stay in their partitions. New connections get the partition that Java chooses.
  const stored = await readTopic(bootstrap, names.metrics, ledgerSize(fleet));
  assert.equal(new Set(stored.map(({ value }) => value?.toString())).size, ledgerSize(fleet));
  assert.equal(stored.length, ledgerSize(fleet));
  assert.deepEqual(logged(gateway, `${names.metrics} created`), []);
});

test('the gateway warns once of a topic that takes no old timestamps, before an outage shows it', async (t, bootstrap) => {
  const names = topicNames();
  const config = { [OLDEST_LIMIT]: '3600000' };
  await createTopic(bootstrap, names.metrics, { partitions: 1, config });
  const gateway = await start(t, bootstrap, names);
  await isReady(gateway);
  const lines = logged(gateway, `${OLDEST_LIMIT}=3600000`);
  assert.equal(lines.length, 1);
  assert.match(lines[0]?.msg ?? '', new RegExp(`${names.metrics} .*1h old.*KAFKA_TIMESTAMP=sent`));

  const sent = await start(t, bootstrap, names, { KAFKA_TIMESTAMP: 'sent' });
  await isReady(sent);
  assert.deepEqual(logged(sent, 'message.timestamp'), []);
});
