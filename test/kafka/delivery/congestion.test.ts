// When a partition counts as congested: more batches come than Kafka takes, and Kafka does take some.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deliveryTo, IDENTITY, openTopic } from './delivery-stage.ts';
import { batchOf, FakeProducer, fakeSession, turns } from './fakes.ts';

const NOT_LEADER = 6;
/** More than it takes until a silent Kafka counts as an outage. */
const SILENCE_MS = 1100;

function setUp(t: TestContext, { isConnected = true } = {}) {
  const producer = new FakeProducer();
  const congested = new Set<number>();
  const { delivery, ...made } = deliveryTo(
    producer,
    { maxAttempts: 3 },
    { congested: (partition, is) => void (is ? congested.add(partition) : congested.delete(partition)) },
  );
  t.after(() => delivery.close());
  const connect = () => delivery.setLeaders([1, 1], IDENTITY);
  if (isConnected) connect();
  const session = fakeSession();
  const deliver = (partition: number) => made.deliver(batchOf(session, partition, 1));
  return { delivery, producer, congested: () => [...congested], connect, deliver };
}

test('a partition is congested while a batch waits behind the one in flight, and no other partition is', async (t) => {
  const { producer, congested, deliver } = setUp(t);
  for (const partition of [0, 1]) deliver(partition);
  assert.deepEqual(congested(), []);
  deliver(1);
  assert.deepEqual(congested(), [1]);
  (await producer.request(1)).answerAll(0);
  await producer.request(2);
  assert.deepEqual(congested(), []);
  deliver(1);
  deliver(1);
  assert.deepEqual(congested(), [1]);
  (await producer.request(2)).answerAll(0);
  await producer.request(3);
  assert.deepEqual(congested(), [1]);
});

test('several batches may be in flight to a far Kafka, and the next one is congestion', async (t) => {
  const { producer, congested, deliver } = setUp(t);
  deliver(0);
  const first = await producer.request(1);
  await sleep(400);
  first.answerAll(0);
  await turns();
  for (let i = 0; i < 5; i++) {
    deliver(0);
    assert.deepEqual(congested(), []);
  }
  deliver(0);
  assert.deepEqual(congested(), [0]);
});

test('before Kafka is known there is no congestion', (t) => {
  const { congested, deliver } = setUp(t, { isConnected: false });
  for (let i = 0; i < 5; i++) deliver(0);
  assert.deepEqual(congested(), []);
});

test('a failure ends the congestion until Kafka takes a batch again', async (t) => {
  const { producer, congested, deliver } = setUp(t);
  for (let i = 0; i < 3; i++) deliver(0);
  assert.deepEqual(congested(), [0]);
  (await producer.request(1)).answerAll(NOT_LEADER);
  await turns();
  assert.deepEqual(congested(), []);
  deliver(0);
  assert.deepEqual(congested(), []);
  (await producer.request(2)).answerAll(0);
  await producer.request(3);
  assert.deepEqual(congested(), [0]);
});

test('a Kafka that is silent for a second ends the congestion until it answers', async (t) => {
  const { producer, congested, deliver } = setUp(t);
  for (let i = 0; i < 3; i++) deliver(0);
  assert.deepEqual(congested(), [0]);
  await sleep(SILENCE_MS);
  assert.deepEqual(congested(), []);
  // After such a round trip Kafka counts as far.
  for (let i = 0; i < 5; i++) deliver(0);
  assert.deepEqual(congested(), []);
  (await producer.request(1)).answerAll(0);
  await producer.request(2);
  assert.deepEqual(congested(), [0]);
});

test('a partition that goes to the spool is not congested', async (t) => {
  const { delivery, congested, deliver } = setUp(t);
  const { spool, closeSpool } = await openTopic(t, { partitions: 2 });
  t.after(closeSpool);
  delivery.useSpool(spool);
  for (let i = 0; i < 3; i++) deliver(0);
  assert.deepEqual(congested(), [0]);
  delivery.unreachable();
  assert.deepEqual(congested(), []);
});

test('a closed delivery has no congested partition', async (t) => {
  const { delivery, congested, deliver } = setUp(t);
  for (let i = 0; i < 3; i++) deliver(0);
  assert.deepEqual(congested(), [0]);
  await delivery.close();
  assert.deepEqual(congested(), []);
});
