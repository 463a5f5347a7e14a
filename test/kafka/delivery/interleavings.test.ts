// Tests events that coincide: batches merged from the disk without a producer, and a topic that gets fewer partitions
// while one of them is busy. unplaced.test.ts has more of the latter.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveryStage, idsIn, LIMITS, range } from './delivery-stage.ts';
import { turns, until } from './fakes.ts';
import { ModelBroker } from './model-broker.ts';

test('the topic loses a partition that is just opening its log', async (t) => {
  const broker = new ModelBroker();
  const { delivery, spool, deliver, connect } = await deliveryStage(t, { broker, partitions: 3 });
  delivery.unreachable();
  deliver([1, 2], { partition: 2 });
  await delivery.flushed();
  deliver([3, 4], { partition: 0 });
  deliver([5, 6], { partition: 1 });
  await connect('cluster', 1);
  await until(() => delivery.inFlightRecords + spool.records === 0, 'all is in Kafka');
  assert.deepEqual(idsIn(broker).sort(), range(1, 6));
});

for (const acks of [1, 0] as const) {
  test(`with acks ${acks} batches merged from the disk are complete`, async (t) => {
    const broker = new ModelBroker();
    const stage = await deliveryStage(t, { broker, acks });
    stage.delivery.unreachable();
    for (const id of range(1, 5)) stage.deliver([id]);
    await stage.delivery.flushed();
    assert.equal(stage.delivery.adoptPartitions(1, LIMITS), 1);
    stage.delivery.setLeaders([1], undefined, 'cluster');
    await until(() => stage.spool.records === 0, 'the spool is drained');
    assert.deepEqual(idsIn(broker), range(1, 5));
    assert.equal(broker.requests.length, 1);
    await turns(1);
  });
}

test('a partition that stays delivers its batches in memory and the records that it gets from one that is gone', async (t) => {
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
  await stage.connect('cluster', 1);
  deliver([4]);
  broker.fate = () => ({ kind: 'taken' });
  await until(() => delivery.inFlightRecords + spool.records === 0, 'all is in Kafka');
  const ids = idsIn(broker);
  assert.deepEqual(ids.toSorted(), [1, 2, 3, 4]);
  // Partition 0 keeps its own order, and the moved record comes before later ones.
  assert.deepEqual(
    ids.filter((id) => id > 1),
    [2, 3, 4],
  );
  assert.ok(ids.indexOf(1) < ids.indexOf(4));
  assert.deepEqual(session.storedSeqs.toSorted(), [1, 2, 3, 4]);
});
