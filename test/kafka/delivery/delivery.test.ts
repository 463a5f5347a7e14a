// Tests Delivery against a fake broker: how it reacts to each answer, and to a missing one.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { portableCrc32c } from '../../../src/checksum/crc32c.ts';
import type { DeliveryOptions } from '../../../src/kafka/delivery/delivery.ts';
import { decodeBatch } from '../batches/decode-batch.ts';
import { deliveryTo, IDENTITY } from './delivery-stage.ts';
import { batchOf, FakeProducer, fakeSession, type SentRequest, turns, until } from './fakes.ts';

const DUPLICATE_SEQUENCE = 46;
const OUT_OF_ORDER_SEQUENCE = 45;
const NOT_LEADER = 6;
/** Leaders of partitions 0 to 9: node 1 leads the even ones, node 2 the odd ones. */
const LEADERS = Array.from({ length: 10 }, (_, partition) => 1 + (partition % 2));

interface Options extends Partial<DeliveryOptions> {
  /** The leaders are known. */
  readonly isConnected?: boolean;
}

function setUp(t: TestContext, { isConnected = true, ...options }: Options = {}) {
  const producer = new FakeProducer();
  const stale: string[] = [];
  const idle: number[] = [];
  const hooks: { leadersStale?: () => void } = {};
  const { delivery, budget, ...made } = deliveryTo(
    producer,
    { maxAttempts: 3, ...options },
    {
      leadersStale: (reason) => {
        stale.push(reason);
        hooks.leadersStale?.();
      },
      partitionIdle: (partition) => idle.push(partition),
    },
  );
  t.after(() => delivery.close());
  const identity = (options.acks ?? -1) === -1 ? IDENTITY : undefined;
  if (isConnected) delivery.setLeaders(LEADERS, identity);
  const session = fakeSession();
  /** Delivers `count` records of a session, the last of which has `seq`. */
  const deliver = (partition: number, count: number, seq = -1, from = session) => {
    const batch = batchOf(from, partition, count, seq);
    made.deliver(batch);
    return batch;
  };
  return { delivery, producer, stale, idle, hooks, budget, session, deliver };
}

const partitionsOf = ({ request }: SentRequest) => request.batches.map(({ partition }) => partition);

test('a confirmed batch tells the connections that asked, and releases its memory', async (t) => {
  const { delivery, producer, idle, budget, deliver, session } = setUp(t);
  deliver(4, 3, 17);
  assert.equal(delivery.inFlightRecords, 3);
  const sent = await producer.request(1);
  assert.equal(sent.nodeId, 1);
  assert.deepEqual(session.storedSeqs, []);
  sent.answerAll(0);
  await delivery.flushed();
  assert.deepEqual(session.storedSeqs, [17]);
  assert.deepEqual(idle, [4]);
  assert.equal(budget.used, 0);
  assert.equal(delivery.counters.confirmed, 3);
});

test('the memory of a batch is reused once Kafka has it, unless another connection may still hold it', async (t) => {
  const { delivery, producer, deliver } = setUp(t);
  const [once, twice] = [deliver(0, 2), deliver(1, 2)];
  const toOnce = await producer.request(1);
  const toTwice = await producer.request(2);
  assert.ok(once.bytes !== undefined && twice.bytes !== undefined);
  toTwice.fail(new Error('connection reset'));
  const again = await producer.request(3);
  toOnce.answerAll(0);
  again.answerAll(0);
  await delivery.flushed();
  assert.equal(once.bytes, undefined);
  assert.deepEqual(again.bytes, toTwice.bytes);
  assert.deepEqual(twice.bytes, toTwice.bytes[0]);
});

test('with acks 0 a batch counts as delivered once it is written, and its memory is not reused', async (t) => {
  const { delivery, producer, deliver, session } = setUp(t, { acks: 0 });
  const batch = deliver(0, 1, 3);
  const sent = await producer.request(1);
  sent.answer(undefined);
  await delivery.flushed();
  assert.deepEqual(session.storedSeqs, [3]);
  assert.deepEqual(batch.bytes, sent.bytes[0]);
});

test('a sent batch is complete: checksum, producer, and a sequence without gaps', async (t) => {
  const { delivery, producer, deliver } = setUp(t);
  const counts = [3, 5, 1];
  for (const count of counts) deliver(0, count);
  let baseSequence = 0;
  for (const [index, count] of counts.entries()) {
    const sent = await producer.request(1 + index);
    const bytes = sent.bytes[0] as Buffer;
    const batch = decodeBatch(bytes);
    assert.deepEqual([batch.producerId, batch.producerEpoch, batch.baseSequence], [42n, 3, baseSequence]);
    assert.equal(batch.records.length, count);
    assert.equal(batch.crc, portableCrc32c(bytes.subarray(21)));
    baseSequence += count;
    sent.answerAll(0);
  }
  await delivery.flushed();
});

test('without idempotence batches carry no producer', async (t) => {
  const { producer, deliver } = setUp(t, { acks: 1 });
  deliver(0, 2);
  const sent = await producer.request(1);
  assert.equal(sent.request.acks, 1);
  assert.equal(decodeBatch(sent.bytes[0] as Buffer).producerId, -1n);
});

test('at most one batch of a partition is in flight, and the next follows in order', async (t) => {
  const { delivery, producer, deliver, session } = setUp(t);
  for (const seq of [1, 2, 3]) deliver(2, 1, seq);
  await producer.request(1);
  await turns();
  assert.equal(producer.sent.length, 1);
  assert.equal(delivery.isBusy(2), true);
  for (const number of [1, 2, 3]) {
    (await producer.request(number)).answerAll(0);
    await turns();
    assert.equal(producer.sent.length, Math.min(3, number + 1));
  }
  assert.deepEqual(session.storedSeqs, [1, 2, 3]);
  assert.equal(delivery.isBusy(2), false);
});

test('partitions with the same leader share a request', async (t) => {
  const { producer, deliver } = setUp(t);
  for (const partition of [0, 1, 2, 3, 4]) deliver(partition, 1);
  await producer.request(2);
  await turns();
  const [one, two, ...others] = producer.sent.map((sent) => [sent.nodeId, partitionsOf(sent)]);
  assert.deepEqual([one, two, others], [[1, [0, 2, 4]], [2, [1, 3]], []]);
});

test('a request whose outcome is unknown is sent again with identical bytes', async (t) => {
  const { delivery, producer, stale, deliver, session } = setUp(t);
  deliver(0, 4, 9);
  deliver(0, 4, 10);
  const first = await producer.request(1);
  first.fail(new Error('connection reset'));
  const second = await producer.request(2);
  assert.deepEqual(second.bytes, first.bytes);
  assert.deepEqual([first.request.mayBeThere, second.request.mayBeThere], [false, true]);
  assert.deepEqual(stale, ['connection reset']);
  assert.equal(delivery.counters.retries, 1);
  assert.equal(delivery.counters.lastError, 'connection reset');
  assert.deepEqual(session.storedSeqs, []);
  second.answerAll(0);
  const third = await producer.request(3);
  assert.equal(decodeBatch(third.bytes[0] as Buffer).baseSequence, 4);
  third.answerAll(0);
  await delivery.flushed();
  assert.deepEqual(session.storedSeqs, [9, 10]);
  assert.equal(delivery.counters.lastError, null);
});

for (const [what, code] of [
  ['no longer the leader', NOT_LEADER],
  ['short of replicas', 19],
  ['failing with a code nobody knows', 9999],
  ['refusing the topic', 29],
] as const) {
  test(`a broker that is ${what} gets the same bytes again later, and no device hears stored meanwhile`, async (t) => {
    const { delivery, producer, stale, deliver, session } = setUp(t);
    deliver(0, 1, 1);
    const first = await producer.request(1);
    first.answerAll(code);
    const second = await producer.request(2);
    assert.deepEqual(second.bytes, first.bytes);
    assert.deepEqual(session.storedSeqs, []);
    assert.equal(stale.length, code === NOT_LEADER ? 1 : 0);
    second.answerAll(0);
    await delivery.flushed();
    assert.deepEqual(session.storedSeqs, [1]);
  });
}

test('when a leader has moved, the retry goes to the new one', async (t) => {
  const { delivery, producer, deliver } = setUp(t);
  deliver(0, 1);
  const first = await producer.request(1);
  first.answerAll(NOT_LEADER);
  await turns();
  const moved = LEADERS.map(() => 3);
  delivery.setLeaders(moved, IDENTITY);
  const second = await producer.request(2);
  assert.deepEqual([first.nodeId, second.nodeId], [1, 3]);
});

test('a partition without a leader waits and reports it, and other partitions do not wait for it', async (t) => {
  const { delivery, producer, stale, deliver } = setUp(t);
  delivery.setLeaders([-1, 2], IDENTITY);
  deliver(0, 1);
  deliver(1, 1);
  const sent = await producer.request(1);
  assert.deepEqual(partitionsOf(sent), [1]);
  assert.ok(stale.includes('partition 0 has no leader'));
  delivery.setLeaders([5, 2], IDENTITY);
  assert.equal((await producer.request(2)).nodeId, 5);
});

test('a partition that the topic no longer has does not make the gateway ask for leaders without a pause', async (t) => {
  const { delivery, stale, hooks, deliver } = setUp(t);
  const leaders = [1, 1, 1];
  // Every question for the leaders is answered at once, and partition 7 is never among them.
  hooks.leadersStale = () => queueMicrotask(() => delivery.setLeaders(leaders, IDENTITY));
  delivery.setLeaders(leaders, IDENTITY);
  deliver(7, 1);
  await until(() => stale.length >= 2, 'it is asked for again');
  await turns(200);
  assert.ok(stale.length <= 3, `asked ${stale.length} times`);
});

test('an answer that does not name the partition is no success: the batch is sent again', async (t) => {
  const { delivery, producer, deliver, session } = setUp(t);
  deliver(0, 2, 5);
  const first = await producer.request(1);
  // As in an answer for another topic: decodeProduceResponse leaves its partitions out.
  first.answer({ throttleMs: 0, partitions: [] });
  const second = await producer.request(2);
  second.answer({ throttleMs: 0, partitions: [{ partition: 8, errorCode: 0, baseOffset: 0n }] });
  const third = await producer.request(3);
  assert.deepEqual([second.bytes, third.bytes], [first.bytes, first.bytes]);
  assert.deepEqual(session.storedSeqs, []);
  third.answerAll(0);
  await delivery.flushed();
  assert.deepEqual(session.storedSeqs, [5]);
});

test('each partition of a request has its own outcome', async (t) => {
  const { producer, deliver } = setUp(t);
  const [kept, failed] = [fakeSession('1'), fakeSession('2')];
  deliver(0, 1, 1, kept);
  deliver(2, 1, 1, failed);
  (await producer.request(1)).answer({
    throttleMs: 0,
    partitions: [
      { partition: 2, errorCode: NOT_LEADER, baseOffset: -1n },
      { partition: 0, errorCode: 0, baseOffset: 7n },
    ],
  });
  const again = await producer.request(2);
  assert.deepEqual(partitionsOf(again), [2]);
  assert.deepEqual([kept.storedSeqs, failed.storedSeqs], [[1], []]);
});

test('a sequence that the broker already has is a success', async (t) => {
  const { delivery, producer, deliver, session } = setUp(t);
  deliver(0, 1, 3);
  (await producer.request(1)).answerAll(DUPLICATE_SEQUENCE);
  await delivery.flushed();
  assert.deepEqual(session.storedSeqs, [3]);
  assert.equal(delivery.counters.retries, 0);
});

test('if the broker lost track of the sequence, the batch and all later ones are sent under a new producer id', async (t) => {
  const { delivery, producer, deliver, session } = setUp(t);
  deliver(0, 2, 1);
  (await producer.request(1)).answerAll(0);
  deliver(0, 3, 2);
  deliver(0, 1, 3);
  deliver(2, 1, -1, fakeSession('other'));
  const refused = await producer.request(2);
  refused.answer({
    throttleMs: 0,
    partitions: [
      { partition: 0, errorCode: OUT_OF_ORDER_SEQUENCE, baseOffset: -1n },
      { partition: 2, errorCode: 0, baseOffset: 0n },
    ],
  });
  const identities: unknown[] = [];
  for (const number of [3, 4]) {
    const sent = await producer.request(number);
    const { producerId, baseSequence, records, crc } = decodeBatch(sent.bytes[0] as Buffer);
    identities.push([producerId, baseSequence, records.length]);
    assert.equal(crc, portableCrc32c((sent.bytes[0] as Buffer).subarray(21)));
    sent.answerAll(0);
  }
  await delivery.flushed();
  const [renewed] = producer.ids;
  assert.equal(producer.ids.length, 1);
  assert.deepEqual(identities, [
    [renewed?.producerId, 0, 3],
    [renewed?.producerId, 3, 1],
  ]);
  assert.deepEqual(session.storedSeqs, [1, 2, 3]);
  // The broker did not doubt the other partition's sequence, so that partition keeps its id.
  deliver(2, 1, -1, fakeSession('other'));
  const other = decodeBatch((await producer.request(5)).bytes[0] as Buffer);
  assert.deepEqual([other.producerId, other.baseSequence], [IDENTITY.producerId, 1]);
});

test('a broker gets at most five requests at a time', async (t) => {
  const { delivery, producer, deliver } = setUp(t);
  delivery.setLeaders(new Array(9).fill(1), IDENTITY);
  for (let partition = 0; partition < 7; partition++) {
    deliver(partition, 1);
    await until(() => producer.sent.length === Math.min(5, partition + 1), 'a request for each');
    await turns();
  }
  assert.equal(producer.sent.length, 5);
  producer.sent[0]?.answerAll(0);
  const sixth = await producer.request(6);
  assert.deepEqual(partitionsOf(sixth), [5, 6]);
});

test('a batch that comes before the leaders are known waits unsealed until then', async (t) => {
  const { delivery, producer, deliver, session } = setUp(t, { isConnected: false });
  const early = deliver(3, 2, 7);
  await turns();
  assert.equal(early.bytes, undefined);
  assert.equal(delivery.inFlightRecords, 2);
  delivery.setLeaders(LEADERS, IDENTITY);
  (await producer.request(1)).answerAll(0);
  await delivery.flushed();
  assert.deepEqual([session.storedSeqs, delivery.inFlightRecords], [[7], 0]);
});

test('a closed delivery sends nothing more, and flushed() resolves', async (t) => {
  const { delivery, producer, deliver, session } = setUp(t);
  deliver(0, 1, 1);
  const sent = await producer.request(1);
  const drained = delivery.flushed();
  delivery.close();
  await drained;
  sent.fail(new Error('the connection was dropped'));
  await turns();
  assert.equal(producer.sent.length, 1);
  assert.deepEqual(session.storedSeqs, []);
});
