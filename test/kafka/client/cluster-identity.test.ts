// A producer id belongs to the cluster that gave it. Another cluster behind the same address may give the same id to
// another producer, so it must never get a batch with a stamp for the former cluster.
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { test } from 'node:test';
import { temporaryDirectory } from '../../spool/support.ts';
import { deliveryStage, idsIn, range } from '../delivery/delivery-stage.ts';
import { until } from '../delivery/fakes.ts';
import { ModelBroker } from '../delivery/model-broker.ts';

/** The spool of a process that crashed after it had sent `ids` and written them to the disk with their stamp. */
async function crashedWith(
  t: Parameters<typeof deliveryStage>[0],
  broker: ModelBroker,
  ids: readonly number[],
) {
  const stage = await deliveryStage(t, { broker, maxAttempts: 1 });
  await stage.connect('first');
  broker.fate = () => ({ kind: 'answer-lost', code: 'TIMEOUT' });
  stage.deliver(ids);
  await until(() => stage.session.storedSeqs.length === 1, 'the batch is on disk');
  const directory = temporaryDirectory(t);
  cpSync(stage.directory, directory, { recursive: true });
  await stage.delivery.close();
  broker.fate = () => ({ kind: 'taken' });
  return directory;
}

for (const [what, clusterId, copies] of [
  ['the same cluster recognises the batch', 'first', 1],
  ['another cluster gets the batch as a new one', 'second', 2],
] as const) {
  test(`after a restart ${what}`, async (t) => {
    const broker = new ModelBroker();
    const directory = await crashedWith(t, broker, [1, 2]);
    const stage = await deliveryStage(t, { broker, directory });
    await stage.connect(clusterId);
    await until(() => stage.spool.records === 0, 'the disk is drained');
    // The model keeps its log, so a batch that it does not recognise is there twice.
    assert.equal(idsIn(broker).length, 2 * copies);
    stage.deliver([3]);
    await until(() => idsIn(broker).includes(3), 'batches from memory follow those from disk');
  });
}

test('a cluster that does not tell its id never gets a producer id of an earlier process', async (t) => {
  const broker = new ModelBroker();
  const directory = await crashedWith(t, broker, [1, 2]);
  broker.replace();
  const stage = await deliveryStage(t, { broker, directory });
  stage.delivery.adoptPartitions(1, { bytes: 1e6, records: 100 });
  stage.delivery.setLeaders([1], await broker.initProducerId());
  await until(() => stage.spool.records === 0, 'the disk is drained');
  stage.deliver([3]);
  await until(() => idsIn(broker).length === 3, 'all records are in Kafka');
  assert.deepEqual(idsIn(broker), [1, 2, 3]);
});

test('another cluster behind the same address gets each waiting batch of memory and disk once', async (t) => {
  const broker = new ModelBroker();
  const stage = await deliveryStage(t, { broker, maxAttempts: 3 });
  await stage.connect('first');
  stage.deliver(range(1, 5));
  await until(() => idsIn(broker).length === 5, 'the first cluster has the first records');
  broker.fate = () => ({ kind: 'lost' });
  stage.deliver(range(6, 10));
  await until(() => stage.spool.records === 5, 'stamped batches go to the disk', 10_000);
  stage.deliver(range(11, 15));
  await until(() => stage.spool.records === 10, 'batches without a stamp follow');
  broker.replace();
  broker.fate = () => ({ kind: 'taken' });
  // Another producer gets the id that ours had.
  await broker.initProducerId();
  await stage.connect('second');
  await until(() => stage.spool.records === 0, 'the disk is drained');
  stage.deliver(range(16, 20));
  await until(() => stage.delivery.inFlightRecords === 0, 'memory is empty');
  assert.deepEqual(idsIn(broker), range(6, 20));
});
