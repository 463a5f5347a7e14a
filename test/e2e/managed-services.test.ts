// Managed services as profiles of the broker proxy, with a real Kafka behind it: the gateway delivers through each, or
// names the setting to change and keeps the readings until then. Imitated, as docs/compatibility.md says.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { BrokerProxy } from '../../scripts/kafka/broker-proxy.ts';
import {
  confluentCloud,
  confluentCloudAdmin,
  eventHubs,
  redpanda,
  type ServiceProfile,
} from '../../scripts/kafka/managed-services.ts';
import { check } from '../check/checking.ts';
import { temporaryDirectory } from '../support/directory.ts';
import type { Env, Gateway } from '../support/gateway.ts';
import { troublesOf } from '../support/health.ts';
import { createTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet, type FleetDevice } from './fleet.ts';
import { allConfirmed, assertDelivered, isReady, kafkaGateway, logged, test } from './stage.ts';

const PARTITIONS = 4;

async function serviceBefore(
  t: TestContext,
  bootstrap: string,
  profile: ServiceProfile,
): Promise<BrokerProxy> {
  const [proxy, ...others] = await BrokerProxy.before(bootstrap.split(','), profile);
  for (const one of [proxy, ...others]) t.after(() => one?.close());
  assert.ok(proxy);
  return proxy;
}

async function start(
  t: TestContext,
  { address }: BrokerProxy,
  topic: string,
  env: Env = {},
): Promise<[Gateway, FleetDevice[]]> {
  const gateway = await kafkaGateway(t, address, topic, {
    KAFKA_NUM_PARTITIONS: String(PARTITIONS),
    KAFKA_BATCH_TIMEOUT: '5ms',
    KAFKA_TOPIC_ALARMS: `${topic}.alarms`,
    KAFKA_TOPIC_DEAD_LETTERS: `${topic}.dead`,
    ...env,
  });
  return [gateway, await connectFleet(t, gateway, { devices: 12, zipcodes: 12 })];
}

async function delivered(bootstrap: string, topic: string, gateway: Gateway, fleet: readonly FleetDevice[]) {
  await allStored(fleet);
  await allConfirmed(gateway, fleet);
  await assertDelivered(bootstrap, topic, { fleet, partitions: PARTITIONS });
  assert.equal(gateway.snapshot().records.deadLettered, 0);
}

for (const [tier, codec] of [
  ['standard', 'none'],
  ['premium', 'gzip'],
] as const) {
  test(`Event Hubs (${tier}) takes readings with KAFKA_COMPRESSION=${codec}, and requests of a megabyte only`, async (t, bootstrap) => {
    const topic = uniqueTopic('event-hubs');
    await createTopic(bootstrap, topic, { partitions: PARTITIONS });
    const proxy = await serviceBefore(t, bootstrap, eventHubs(tier));
    // Readings that have waited for Kafka are sent in the largest requests.
    proxy.refuse();
    const [gateway, fleet] = await start(t, proxy, topic, {
      KAFKA_COMPRESSION: codec,
      KAFKA_BATCH_SIZE: '10000',
      KAFKA_BATCH_BYTES: '900KiB',
    });
    for (let round = 0; round < 60; round++) for (const device of fleet) device.sendShaped([20, 20]);
    await allStored(fleet);
    await proxy.accept();
    await delivered(bootstrap, topic, gateway, fleet);
    t.diagnostic(`${proxy.counters.tooLarge} requests were too large`);
    if (codec === 'none') assert.ok(proxy.counters.tooLarge > 0, 'the limit of the service was met');
  });
}

test('Event Hubs refuses another codec: the reason names KAFKA_COMPRESSION, and the readings arrive after it is changed', async (t, bootstrap) => {
  const topic = uniqueTopic('event-hubs-codec');
  await createTopic(bootstrap, topic, { partitions: PARTITIONS });
  const proxy = await serviceBefore(t, bootstrap, eventHubs('premium'));
  const spool = { SPOOL_DIR: temporaryDirectory(t) };
  const [gateway, fleet] = await start(t, proxy, topic, { ...spool, KAFKA_COMPRESSION: 'snappy' });
  for (const device of fleet) device.sendShaped([1, 2, 3]);
  await allStored(fleet);
  const reason = /UNSUPPORTED_FOR_MESSAGE_FORMAT.*KAFKA_COMPRESSION/;
  await waitFor('health says why', () => reason.test(troublesOf(gateway.snapshot())));
  const { confirmed, deadLettered } = gateway.snapshot().records;
  assert.deepEqual([confirmed, deadLettered], [0, 0]);
  await gateway.stop();
  const [changed] = await start(t, proxy, topic, { ...spool, KAFKA_COMPRESSION: 'gzip' });
  await waitFor('all is in Kafka', () => {
    const { recovered, confirmed } = changed.snapshot().records;
    return recovered > 0 && confirmed === recovered;
  });
  await assertDelivered(bootstrap, topic, { fleet, partitions: PARTITIONS });
});

test('Confluent Cloud with the right to write only: the topic’s limits are not known, all is throttled, and all arrives', async (t, bootstrap) => {
  const topic = uniqueTopic('confluent');
  await createTopic(bootstrap, topic, { partitions: PARTITIONS });
  const proxy = await serviceBefore(t, bootstrap, confluentCloud());
  const [gateway, fleet] = await start(t, proxy, topic);
  await isReady(gateway);
  for (let round = 0; round < 30; round++) for (const device of fleet) device.send();
  await delivered(bootstrap, topic, gateway, fleet);
  const { kafka, records } = gateway.snapshot();
  assert.ok(kafka.throttledSeconds > 0);
  assert.equal(kafka.retries, 0);
  assert.equal(records.spooled, 0);
  assert.deepEqual(logged(gateway, 'outage'), []);
});

for (const [name, profile, reason] of [
  ['a client may not create topics', confluentCloud, /TOPIC_AUTHORIZATION_FAILED.*right Create/],
  [
    'topics need three replicas',
    confluentCloudAdmin,
    /POLICY_VIOLATION: Topic replication factor must be 3.*KAFKA_REPLICATION_FACTOR/,
  ],
] as const) {
  test(`Confluent Cloud where ${name}: the reason says what to do, and readings wait until the topic is there`, async (t, bootstrap) => {
    const topic = uniqueTopic('confluent-missing');
    const proxy = await serviceBefore(t, bootstrap, profile());
    const [gateway, fleet] = await start(t, proxy, topic);
    for (const device of fleet) device.send(2);
    await waitFor('health says why', () => reason.test(troublesOf(gateway.snapshot())));
    await allStored(fleet);
    await createTopic(bootstrap, topic, { partitions: PARTITIONS });
    await delivered(bootstrap, topic, gateway, fleet);
  });
}

/** UNKNOWN_SERVER_ERROR, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS, KAFKA_STORAGE_ERROR, and one that Kafka does not have. */
const REDPANDA_CODES = [-1, 7, 19, 56, 9_999];

test('Redpanda, with codes of its own and without DescribeQuorum: each reading arrives once and in order', async (t, bootstrap) => {
  const topic = uniqueTopic('redpanda');
  await createTopic(bootstrap, topic, { partitions: PARTITIONS });
  const proxy = await serviceBefore(t, bootstrap, redpanda(REDPANDA_CODES, 5));
  const [gateway, fleet] = await start(t, proxy, topic);
  await isReady(gateway);
  await waitFor('each code has been answered', () => {
    for (const device of fleet) device.send();
    return gateway.snapshot().kafka.retries > 2 * REDPANDA_CODES.length;
  });
  await delivered(bootstrap, topic, gateway, fleet);
});

test('`sluice check` says what a service does not tell or allow, and finds no fault in one that fits', async (t, bootstrap) => {
  const topic = uniqueTopic('checked');
  await createTopic(bootstrap, topic, { partitions: PARTITIONS });
  const found = async (profile: ServiceProfile, env: Env = {}) =>
    check(t, {
      KAFKA_BROKERS: (await serviceBefore(t, bootstrap, profile)).address,
      KAFKA_TOPIC_METRICS: topic,
      KAFKA_TOPIC_DEAD_LETTERS: '',
      KAFKA_NUM_PARTITIONS: String(PARTITIONS),
      ...env,
    });
  const hubs = await found(eventHubs('premium'), { KAFKA_COMPRESSION: 'gzip' });
  hubs.expect('note', 'write_right_unknown', /is not known/);
  assert.deepEqual(hubs.names('error'), []);
  const writer = await found(confluentCloud());
  writer.expect('note', 'topic_limits_unknown', /TOPIC_AUTHORIZATION_FAILED/);
  assert.deepEqual(writer.names('error'), []);
  const admin = await found(confluentCloudAdmin(), { KAFKA_TOPIC_METRICS: `${topic}.missing` });
  const { remedy } = admin.expect('error', 'topic_not_creatable', /Topic replication factor must be 3/);
  assert.match(remedy ?? '', /set KAFKA_REPLICATION_FACTOR/);
  assert.deepEqual((await found(redpanda([], 1))).names('error'), []);
});
