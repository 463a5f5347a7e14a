// What comes in between: a stop, another cluster, another number of partitions or a failing disk while a partition is
// in the middle of something else.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { deliveryStage, idsIn, LIMITS, range } from './delivery-stage.ts';
import { turns, until } from './fakes.ts';
import { ModelBroker } from './model-broker.ts';

/** Fails the test instead of waiting for ever. */
async function within<T>(promise: Promise<T>, what: string, ms = 5_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not so after ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A delivery whose spool has records of partition 2, placed by a guess. */
async function guessed(t: TestContext, options: { maxBytes?: number } = {}) {
  const broker = new ModelBroker();
  const stage = await deliveryStage(t, { broker, partitions: 3, ...options });
  await stage.spool.layout.set({ partitions: 3, known: false });
  stage.delivery.unreachable();
  const connect = async (partitions: number): Promise<void> => {
    await within(stage.delivery.adoptPartitions(partitions, LIMITS), 'the spool is placed');
    const leaders = new Array<number>(partitions).fill(1);
    stage.delivery.setLeaders(leaders, await broker.initProducerId(), 'cluster');
  };
  return { ...stage, broker, connect };
}

test('the spool is placed for another number of partitions while a partition is just opening its log', async (t) => {
  const { delivery, spool, broker, deliver, connect } = await guessed(t);
  deliver([1, 2], { partition: 2 });
  await delivery.drained();
  deliver([3, 4], { partition: 0 });
  await connect(1);
  await until(() => delivery.inFlightRecords + spool.records === 0, 'all is in Kafka');
  assert.deepEqual(idsIn(broker).sort(), [1, 2, 3, 4]);
});

test('a full spool is placed for another number of partitions, with what it does not take', async (t) => {
  const { delivery, spool, broker, session, deliver, connect } = await guessed(t, { maxBytes: 2000 });
  for (const id of range(1, 40)) deliver([id], { partition: 2 });
  await until(() => delivery.spoolTrouble !== null, 'the disk is full');
  assert.ok(delivery.inFlightRecords > 0 && spool.records > 0);
  await connect(1);
  await until(() => delivery.inFlightRecords + spool.records === 0, 'all is in Kafka');
  assert.deepEqual(idsIn(broker), range(1, 40));
  assert.deepEqual(session.storedSeqs, range(1, 40));
});

for (const acks of [1, 0] as const) {
  test(`with acks ${acks} batches merged from the disk are whole`, async (t) => {
    const broker = new ModelBroker();
    const stage = await deliveryStage(t, { broker, acks });
    stage.delivery.unreachable();
    for (const id of range(1, 5)) stage.deliver([id]);
    await stage.delivery.drained();
    await stage.delivery.adoptPartitions(1, LIMITS);
    stage.delivery.setLeaders([1], undefined, 'cluster');
    await until(() => stage.spool.records === 0, 'the spool is drained');
    assert.deepEqual(idsIn(broker), range(1, 5));
    assert.equal(broker.requests.length, 1);
    await turns(1);
  });
}

test('what is delivered between the placing and the new leaders is not written under the former number', async (t) => {
  const { delivery, spool, deliver } = await guessed(t);
  for (const partition of [0, 1, 2]) deliver([partition + 1], { partition });
  await delivery.drained();
  await delivery.adoptPartitions(2, LIMITS);
  for (const partition of [0, 1, 2]) deliver([partition + 4], { partition });
  await turns(50);
  assert.equal(spool.records, 3);
  assert.equal(delivery.takeParked().length, 3);
});

test('what waited in memory of a partition that gets others’ records from the placing is delivered behind them', async (t) => {
  const broker = new ModelBroker();
  const stage = await deliveryStage(t, { broker, partitions: 2, maxAttempts: 100 });
  const { delivery, spool, session, deliver } = stage;
  await stage.connect();
  broker.fate = () => ({ kind: 'lost', code: 'TIMEOUT' });
  deliver([1], { partition: 1 });
  await until(() => spool.records === 1, 'partition 1 is on disk');
  broker.fate = () => ({ kind: 'refused', errorCode: 6 });
  deliver([2]);
  deliver([3]);
  await until(() => broker.requests.length > 3, 'partition 0 is tried');
  await within(delivery.adoptPartitions(1, LIMITS), 'the spool is placed');
  assert.equal(delivery.takeParked().length, 0);
  broker.fate = () => ({ kind: 'taken' });
  delivery.setLeaders([1], undefined, 'cluster');
  await until(() => delivery.inFlightRecords + spool.records === 0, 'all is in Kafka');
  assert.deepEqual(idsIn(broker), [1, 2, 3]);
  assert.deepEqual(session.storedSeqs, [1, 2, 3]);
});

test('a stop while the spool cannot be placed writes what waited meanwhile to the disk', async (t) => {
  const { delivery, spool, session, deliver } = await guessed(t);
  deliver([1], { partition: 2 });
  await delivery.drained();
  spool.layout.beginPlacing = () => Promise.reject(new Error('no room'));
  const placing = delivery.adoptPartitions(1, LIMITS);
  deliver([2], { partition: 0 });
  deliver([3], { partition: 2 });
  const stopped = delivery.spoolAll();
  await assert.rejects(placing, /no room/);
  await within(stopped, 'all is on disk');
  assert.deepEqual([spool.records, session.storedSeqs.toSorted()], [3, [1, 2, 3]]);
});

test('a close while the spool waits to be placed ends the placing', async (t) => {
  const { delivery, broker, deliver, connect } = await guessed(t);
  await connect(3);
  broker.fate = () => new Promise(() => {});
  deliver([1], { partition: 0 });
  await until(() => broker.requests.length === 1, 'a batch is in flight');
  delivery.unreachable();
  deliver([2], { partition: 2 });
  await until(() => delivery.spooledRecords === 1, 'one is on disk');
  const placing = assert.rejects(delivery.adoptPartitions(1, LIMITS), { name: 'AbortError' });
  await delivery.close();
  await within(placing, 'the placing ends');
});

test('batches on their way to the disk are placed again if the guess was wrong', async (t) => {
  const { delivery, spool, broker, deliver, connect } = await guessed(t, { maxBytes: 10 });
  deliver([1], { partition: 2 });
  deliver([2], { partition: 2 });
  await until(() => delivery.spoolTrouble !== null, 'the disk takes nothing');
  assert.equal(spool.records, 0);
  await connect(1);
  await until(() => delivery.inFlightRecords + spool.records === 0, 'all is in Kafka');
  assert.deepEqual(idsIn(broker), [1, 2]);
});

test('what is delivered while the number of partitions is written down goes nowhere by the guess', async (t) => {
  const { delivery, spool, deliver } = await guessed(t);
  const set = spool.layout.set.bind(spool.layout);
  spool.layout.set = async (layout) => {
    deliver([1], { partition: 2 });
    delivery.unreachable();
    await turns(20);
    await set(layout);
  };
  await delivery.adoptPartitions(1, LIMITS);
  assert.equal(delivery.takeParked().length, 1);
  assert.equal(spool.records, 0);
});
