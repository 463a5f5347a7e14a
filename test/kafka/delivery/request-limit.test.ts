// Tests brokers that close the connection on requests that are too large, and records that get the time of sending.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Gate } from '../client/scripted-broker.ts';
import { connectedStage, deliveryStage, idsIn, range } from './delivery-stage.ts';
import { turns, until } from './fakes.ts';
import { type Fate, ModelBroker, type ModelRequest } from './model-broker.ts';

/** Enough for a batch to be found at fault in memory, and again from the disk. */
const MOST_CLOSED = 6;
const PADDING = 'x'.repeat(20_000);

/** A broker that closes the connection on requests of more than `bytes`. */
function closingAbove(bytes: number): ModelBroker {
  const broker = new ModelBroker();
  broker.fate = (request: ModelRequest): Fate =>
    request.bytes > bytes ? { kind: 'lost', code: 'CLOSED' } : { kind: 'taken' };
  return broker;
}

test('partitions that do not fit into one request are sent in several', async (t) => {
  const partitions = 8;
  const broker = closingAbove(300_000);
  const stage = await deliveryStage(t, { broker, partitions, maxAttempts: 50 });
  const { letters, deliver, connect, settled } = stage;
  await connect();
  for (let partition = 0; partition < partitions; partition++)
    deliver(range(1, 5), { partition, padding: PADDING });
  await settled();
  for (let partition = 0; partition < partitions; partition++)
    assert.deepEqual(idsIn(broker, partition), range(1, 5));
  assert.deepEqual(letters, []);
  // The limit is learned step by step, then it holds.
  const refused = () => broker.requests.filter(({ bytes }) => bytes > 300_000).length;
  let before: number;
  let waves = 0;
  do {
    before = refused();
    for (let partition = 0; partition < partitions; partition++)
      deliver([10 + waves], { partition, padding: PADDING.repeat(5) });
    await settled();
  } while (refused() > before && ++waves < 5);
  assert.ok(waves < 5, `${refused()} requests were too large`);
  assert.deepEqual(letters, []);
});

test('a single batch that does not fit into one request is cut, and none of its records is at fault', async (t) => {
  const broker = closingAbove(150_000);
  const { letters, deliver, settled } = await connectedStage(t, { broker, maxAttempts: 50 });
  deliver(range(1, 10), { padding: PADDING });
  await settled();
  assert.deepEqual([idsIn(broker), letters], [range(1, 10), []]);
});

test('a batch in flight beside a request that is too large is not cut, because the broker may have it', async (t) => {
  const broker = new ModelBroker();
  const stage = await deliveryStage(t, { broker, partitions: 2, maxAttempts: 50 });
  let small: Gate | undefined;
  let closed = 0;
  // The connection ends at the large request, after the broker has carried out the small one before it.
  broker.fate = async ({ bytes, partitions }) => {
    if (partitions.length > 1) return { kind: 'lost', code: 'CLOSED' };
    if (bytes > 150_000) {
      await until(() => small !== undefined || closed > MOST_CLOSED, 'the small one is in flight');
      small?.open();
      small = undefined;
      // Requests that fail within 20 ms count as those of one connection.
      await turns(2);
      closed++;
      return { kind: 'lost', code: 'CLOSED' };
    }
    if (partitions[0] === 1 || closed > MOST_CLOSED) return { kind: 'taken' };
    small = new Gate();
    const opened = small.opened.then(() => ({ kind: 'answer-lost', code: 'CLOSED' }) as const);
    return await Promise.race([opened, pause(500, { kind: 'taken' } as const)]);
  };
  await stage.connect();
  stage.deliver(range(1, 5), { partition: 0, padding: PADDING });
  await until(() => broker.requests.length === 1, 'the small one is sent');
  stage.deliver(range(1, 12), { partition: 1, padding: PADDING });
  await stage.settled();
  t.diagnostic(`${closed} connections were closed`);
  assert.deepEqual(idsIn(broker, 0), range(1, 5));
  assert.deepEqual(idsIn(broker, 1), range(1, 12));
});

test('connections that break for another reason do not make requests smaller', async (t) => {
  const broker = new ModelBroker();
  const { deliver, settled } = await connectedStage(t, { broker, maxAttempts: 50 });
  let broken = 0;
  // Every second request fails, as at a broker that restarts: the next one of the same size is answered.
  broker.fate = () => (broken++ % 2 === 0 ? { kind: 'lost', code: 'CLOSED' } : { kind: 'taken' });
  for (let turn = 0; turn < 4; turn++) {
    deliver(range(10 * turn + 1, 10 * turn + 10), { padding: PADDING });
    await settled();
  }
  assert.equal(broker.requests.length, 8);
  assert.ok(broker.requests.every(({ records }) => records === 10));
});

for (const isStampedWhenSent of [true, false]) {
  const which = isStampedWhenSent ? 'the time of sending' : 'the time they were received';
  test(`records that waited on disk carry ${which}, also when they are sent again`, async (t) => {
    const broker = new ModelBroker();
    const stage = await deliveryStage(t, { broker, isStampedWhenSent });
    stage.delivery.unreachable();
    const receivedBefore = Date.now();
    stage.deliver(range(1, 3));
    stage.deliver(range(4, 6));
    await stage.delivery.flushed();
    await until(() => Date.now() > receivedBefore + 200, 'some time goes by');
    const sentAfter = Date.now();
    // As a topic with message.timestamp.before.max.ms: it refuses records older than 150 ms.
    broker.check = ({ timestampMs }) => (isStampedWhenSent && Date.now() - timestampMs > 150 ? 32 : 0);
    let requests = 0;
    broker.fate = () => (requests++ === 0 ? { kind: 'lost' } : { kind: 'taken' });
    await stage.connect();
    await stage.settled();
    assert.deepEqual(idsIn(broker), range(1, 6));
    for (const { timestampMs } of broker.topic.get(0) ?? [])
      assert.equal(timestampMs >= sentAfter - 20, isStampedWhenSent);
  });
}
