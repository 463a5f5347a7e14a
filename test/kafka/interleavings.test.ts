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
