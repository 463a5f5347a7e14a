// Tests several batches of a partition in flight, as with a Kafka that is far away: their order, and the batches behind
// one that fails.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { testLog } from '../../support/log.ts';
import { decodeBatch } from '../batches/decode-batch.ts';
import { deliveryTo, IDENTITY } from './delivery-stage.ts';
import { batchOf, FakeProducer, fakeSession, turns } from './fakes.ts';

const UNKNOWN_TOPIC = 3;
const NOT_LEADER = 6;
const OUT_OF_ORDER_SEQUENCE = 45;
/** Long enough that a single round trip makes the moving mean, which starts at 0, count as far. */
const ROUND_TRIP_MS = 400;
const IN_FLIGHT = 5;

/** A partition whose first round trip was so long that Kafka counts as far. */
async function far(t: TestContext, acks: -1 | 1 = -1) {
  const producer = new FakeProducer();
  const idle: number[] = [];
  const warnings: string[] = [];
  const log = testLog({ level: 'warn' }, { write: (line: string) => warnings.push(line) });
  const { delivery, ...made } = deliveryTo(
    producer,
    { acks, maxAttempts: 3 },
    { log, partitionIdle: (partition) => idle.push(partition) },
  );
  t.after(() => delivery.close());
  const session = fakeSession();
  let seq = 0;
  const deliver = (count: number) => made.deliver(batchOf(session, 0, count, seq++));
  delivery.setLeaders([1, 2], acks === -1 ? IDENTITY : undefined);
  deliver(1);
  const first = await producer.request(1);
  await sleep(ROUND_TRIP_MS);
  first.answerAll(0);
  await turns();
  assert.deepEqual(session.storedSeqs, [0]);
  /** Batches sent since then, in order: producer id, sequence and number of records. */
  const sent = (from = 1) =>
    producer.sent.slice(from).map(({ bytes }) => {
      const { producerId, baseSequence, records } = decodeBatch(bytes[0] as Buffer);
      return [Number(producerId), baseSequence, records.length];
    });
  return { delivery, producer, session, deliver, sent, idle, warnings };
}

test('several batches are in flight, in order, and each answer lets the next one leave', async (t) => {
  const { delivery, producer, session, deliver, sent, idle } = await far(t);
  for (let i = 1; i <= IN_FLIGHT + 2; i++) {
    assert.equal(delivery.isBusy(0), i > IN_FLIGHT);
    deliver(i);
    await turns();
  }
  assert.deepEqual(sent(), [
    [42, 1, 1],
    [42, 2, 2],
    [42, 4, 3],
    [42, 7, 4],
    [42, 11, 5],
  ]);
  idle.length = 0;
  producer.sent[1]?.answerAll(0);
  await turns();
  assert.deepEqual(sent(6), [[42, 16, 6]]);
  // The answer to a later batch does not count until the earlier ones are answered.
  producer.sent[3]?.answerAll(0);
  await turns();
  assert.deepEqual(session.storedSeqs, [0, 1]);
  producer.sent[2]?.answerAll(0);
  await turns();
  assert.deepEqual(session.storedSeqs, [0, 1, 2, 3]);
  assert.deepEqual(sent(7), [[42, 22, 7]]);
  assert.deepEqual(idle, [0]);
  for (const number of [4, 5, 6, 7]) producer.sent[number]?.answerAll(0);
  await delivery.flushed();
  assert.deepEqual(session.storedSeqs, [0, 1, 2, 3, 4, 5, 6, 7]);
});

test('after a failed batch those behind it are sent again too, one by one, with the same bytes', async (t) => {
  const { delivery, producer, session, deliver, sent } = await far(t);
  for (let i = 1; i <= 3; i++) deliver(i);
  await producer.request(4);
  const [, one, two, three] = producer.sent;
  one?.answerAll(NOT_LEADER);
  two?.answerAll(OUT_OF_ORDER_SEQUENCE);
  deliver(4);
  await sleep(100);
  // The last batch is not answered yet.
  assert.equal(producer.sent.length, 4);
  three?.fail(new Error('connection reset'));
  for (const before of [one, two, three]) {
    const again = await producer.request(producer.sent.length + 1);
    await turns();
    assert.deepEqual(again, producer.sent.at(-1));
    assert.deepEqual(again.bytes, before?.bytes);
    again.answerAll(0);
    await turns();
    if (before === one) break;
  }
  // The partition is healthy again, so the rest may leave together.
  await producer.request(8);
  const sequences = sent(5).map(([, baseSequence]) => baseSequence);
  assert.deepEqual(sequences, [2, 4, 7]);
  assert.deepEqual(producer.sent[5]?.bytes, two?.bytes);
  assert.deepEqual(producer.sent[6]?.bytes, three?.bytes);
  for (const number of [5, 6, 7]) producer.sent[number]?.answerAll(0);
  await delivery.flushed();
  assert.deepEqual(session.storedSeqs, [0, 1, 2, 3, 4]);
  assert.equal(producer.ids.length, 0);
});

// Seen with a real Kafka in the chaos fault topic-fewer-more-kill. A new topic takes any first sequence.
test('a batch that a new topic took ahead of an earlier one is warned of, and is sent again behind it', async (t) => {
  const { delivery, producer, session, deliver, sent, warnings } = await far(t);
  for (let i = 1; i <= 2; i++) deliver(i);
  await producer.request(3);
  producer.sent[1]?.answerAll(UNKNOWN_TOPIC);
  producer.sent[2]?.answerAll(0);
  const again = await producer.request(4);
  assert.match(warnings.join(), /created again while several batches were in flight/);
  again.answerAll(OUT_OF_ORDER_SEQUENCE);
  (await producer.request(5)).answerAll(0);
  (await producer.request(6)).answerAll(0);
  await delivery.flushed();
  assert.deepEqual(session.storedSeqs, [0, 1, 2]);
  assert.deepEqual(sent(4), [
    [500, 0, 1],
    [500, 1, 2],
  ]);
});

test('a partition whose leader moved sends nothing to the new one before the old one answers', async (t) => {
  const { delivery, producer, deliver, sent } = await far(t);
  deliver(1);
  await producer.request(2);
  delivery.setLeaders([2, 2], IDENTITY);
  deliver(1);
  await turns();
  assert.equal(producer.sent.length, 2);
  producer.sent[1]?.answerAll(0);
  const next = await producer.request(3);
  assert.equal(next.nodeId, 2);
  assert.deepEqual(sent(2), [[42, 2, 1]]);
  next.answerAll(0);
  await delivery.flushed();
});

test('without idempotence only one batch is in flight, however far Kafka is', async (t) => {
  const { delivery, producer, deliver } = await far(t, 1);
  deliver(1);
  deliver(1);
  await producer.request(2);
  await turns();
  assert.equal(producer.sent.length, 2);
  assert.equal(delivery.isBusy(0), true);
  producer.sent[1]?.answerAll(0);
  (await producer.request(3)).answerAll(0);
  await delivery.flushed();
});

test('nothing is sent to another cluster while batches to the former one are in flight, even under an equal id', async (t) => {
  const { delivery, producer, deliver, sent } = await far(t);
  deliver(1);
  deliver(2);
  await turns();
  assert.equal(sent().length, 2);
  delivery.setLeaders([1, 2], IDENTITY, 'another cluster');
  deliver(3);
  await turns();
  assert.equal(sent().length, 2);
  for (const request of producer.sent.slice(1)) request.fail(new Error('connection lost'));
  await sleep(200);
  assert.deepEqual(sent(3), [[42, 0, 1]]);
});

test('an answer of the former cluster does not prove that the new one knows the producer', async (t) => {
  const { delivery, producer, deliver, sent } = await far(t);
  deliver(1);
  await turns();
  delivery.setLeaders([1, 2], { producerId: 77n, producerEpoch: 0 }, 'another cluster');
  producer.sent[1]?.answerAll(0);
  await turns();
  deliver(2);
  await turns();
  deliver(3);
  await turns();
  assert.deepEqual(sent(2), [[77, 0, 2]]);
});
