// Tests a topic that gets fewer partitions while one of them is busy. unplaced.test.ts has more of these.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveryStage, idsIn, range } from './delivery-stage.ts';
import { until } from './fakes.ts';
import { ModelBroker } from './model-broker.ts';

test('the topic loses a partition that is just opening its log', async (t) => {
  const broker = new ModelBroker();
  const { delivery, deliver, connect, settled } = await deliveryStage(t, { broker, partitions: 3 });
  delivery.unreachable();
  deliver([1, 2], { partition: 2 });
  await delivery.flushed();
  deliver([3, 4], { partition: 0 });
  deliver([5, 6], { partition: 1 });
  await connect('cluster', 1);
  await settled();
  assert.deepEqual(idsIn(broker).sort(), range(1, 6));
});

test('a partition that stays delivers its batches in memory and the records that it gets from one that is gone', async (t) => {
  const broker = new ModelBroker();
  const stage = await deliveryStage(t, { broker, partitions: 2, maxAttempts: 100 });
  const { spool, session, deliver, settled } = stage;
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
  await settled();
  const ids = idsIn(broker);
  assert.deepEqual(ids.toSorted(), [1, 2, 3, 4]);
  // Partition 0 keeps its own order, and the moved record comes before later ones.
  const own = ids.filter((id) => id > 1);
  assert.deepEqual(own, [2, 3, 4]);
  assert.ok(ids.indexOf(1) < ids.indexOf(4));
  assert.deepEqual(session.storedSeqs.toSorted(), [1, 2, 3, 4]);
});
