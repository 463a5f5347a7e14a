// Tests Delivery with a real spool and a fake broker: which batches are sent from the disk, and how a later start goes
// on with them.
import assert from 'node:assert/strict';
import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { portableCrc32c } from '../../../src/checksum/crc32c.ts';
import { type Codec, createCodec } from '../../../src/kafka/batches/compression.ts';
import type { Delivery, DeliveryOptions } from '../../../src/kafka/delivery/delivery.ts';
import { Cursor } from '../../../src/spool/cursor.ts';
import { decodeBatch } from '../batches/decode-batch.ts';
import { Gate } from '../client/scripted-broker.ts';
import { crashCopy, deliveryTo, IDENTITY, LIMITS, openTopic } from './delivery-stage.ts';
import { batchOf, FakeProducer, fakeSession, type SentRequest, turns, until } from './fakes.ts';

const LATER_IDENTITY = { producerId: 77n, producerEpoch: 0 };
const LEADERS = [1, 1, 1];
const overdue = () => Object.assign(new Error('no answer'), { code: 'TIMEOUT' });

/** A delivery that does not reach Kafka before connect(). */
async function setUp(
  t: TestContext,
  options: Partial<DeliveryOptions> & { directory?: string; maxBytes?: number; codec?: Codec } = {},
) {
  const producer = new FakeProducer();
  const { codec } = options;
  const { delivery, budget, ...made } = deliveryTo(
    producer,
    { maxAttempts: 1, ...options },
    codec === undefined ? {} : { codec },
  );
  const { spool, closeSpool, directory } = await openTopic(t, { sync: 'batch', ...options });
  delivery.useSpool(spool);
  t.after(async () => {
    await delivery.close();
    await closeSpool();
  });
  const session = fakeSession();
  let seq = 0;
  /** Delivers batches of these sizes. The session hears the number of each batch. */
  const deliver = (partition: number, ...counts: readonly number[]) => {
    for (const count of counts) made.deliver(batchOf(session, partition, count, ++seq));
  };
  /** Makes Kafka unreachable and delivers batches of partition 0. Resolves when they are on disk. */
  const spoolBatches = async (...counts: readonly number[]) => {
    delivery.unreachable();
    deliver(0, ...counts);
    await delivery.flushed();
  };
  const connect = (identity = IDENTITY, cluster = 'cluster') => {
    delivery.adoptPartitions(LEADERS.length, LIMITS);
    delivery.setLeaders(LEADERS, identity, cluster);
  };
  return { delivery, producer, spool, budget, session, deliver, spoolBatches, connect, directory };
}

function batchIn(sent: SentRequest) {
  const { records, baseSequence, producerId } = decodeBatch(sent.bytes[0] as Buffer);
  return { count: records.length, baseSequence, producerId };
}

test('small batches on disk go to Kafka as few large ones, within the limits, numbered without gaps', async (t) => {
  const { delivery, producer, session, spool, budget, deliver, connect, spoolBatches } = await setUp(t);
  await spoolBatches(...Array.from({ length: 70 }, () => 3));
  assert.deepEqual(session.storedSeqs.length, 70);
  connect();
  let sequence = 0;
  for (const [index, count] of [99, 99, 12].entries()) {
    const sent = await producer.request(1 + index);
    assert.deepEqual(batchIn(sent), { count, baseSequence: sequence, producerId: 42n });
    sequence += count;
    sent.answerAll(0);
  }
  await until(() => delivery.spoolingPartitions === 0, 'the spool is drained');
  assert.deepEqual([delivery.spooledRecords, spool.records, budget.used], [0, 0, 0]);
  assert.equal(delivery.counters.confirmed, 210);
  // Sequences from memory continue where the disk ended.
  deliver(0, 5);
  assert.deepEqual(batchIn(await producer.request(4)), { count: 5, baseSequence: 210, producerId: 42n });
});

for (const acks of [1, 0] as const) {
  test(`with acks ${acks} small batches on disk go to Kafka as one, with a checksum and without a producer`, async (t) => {
    const { delivery, producer, spool, session, spoolBatches } = await setUp(t, { acks });
    await spoolBatches(3, 3, 3);
    assert.deepEqual(session.storedSeqs, [1, 2, 3]);
    delivery.adoptPartitions(LEADERS.length, LIMITS);
    delivery.setLeaders(LEADERS, undefined, 'cluster');
    const sent = await producer.request(1);
    const [bytes = Buffer.alloc(0)] = sent.bytes;
    assert.deepEqual(batchIn(sent), { count: 9, baseSequence: -1, producerId: -1n });
    assert.equal(decodeBatch(bytes).crc, portableCrc32c(bytes.subarray(21)));
    if (acks === 0) sent.answer(undefined);
    else sent.answerAll(0);
    await until(() => delivery.spoolingPartitions === 0, 'the spool is drained');
    assert.deepEqual([delivery.counters.confirmed, spool.records], [9, 0]);
  });
}

test('a batch on disk whose codec Kafka refuses is sent in the present codec, under the same sequence', async (t) => {
  const UNSUPPORTED_FOR_MESSAGE_FORMAT = 43;
  const first = await setUp(t, { codec: createCodec('gzip'), acks: -1 });
  first.connect();
  first.deliver(0, 50);
  const sent = await first.producer.request(1);
  const [compressed = Buffer.alloc(0)] = sent.bytes;
  assert.equal(codecIn(compressed), 1);
  const before = decodeBatch(compressed, gunzipSync);
  sent.answerAll(UNSUPPORTED_FOR_MESSAGE_FORMAT);
  await first.delivery.flushed();
  const directory = crashCopy(t, first.directory);

  const second = await setUp(t, { directory });
  second.connect(LATER_IDENTITY);
  const again = await second.producer.request(1);
  assert.deepEqual(again.bytes[0], compressed, 'Kafka may take the codec by now');
  again.answerAll(UNSUPPORTED_FOR_MESSAGE_FORMAT);
  const recoded = await second.producer.request(2);
  const [bytes = Buffer.alloc(0)] = recoded.bytes;
  assert.equal(codecIn(bytes), 0);
  assert.equal(decodeBatch(bytes).crc, portableCrc32c(bytes.subarray(21)));
  const { records, producerId, producerEpoch, baseSequence } = decodeBatch(bytes);
  assert.deepEqual(records, before.records);
  assert.deepEqual(
    { producerId, producerEpoch, baseSequence },
    { producerId: before.producerId, producerEpoch: before.producerEpoch, baseSequence: before.baseSequence },
  );
  recoded.answerAll(0);
  await until(() => second.delivery.spoolingPartitions === 0, 'the spool is drained');
  assert.equal(second.delivery.counters.confirmed, 50);
});

const codecIn = (batch: Buffer) => batch.readInt16BE(21) & 7;

test('after a crash, batches that may have reached Kafka get the same bounds and sequences again', async (t) => {
  const first = await setUp(t);
  await first.spoolBatches(2, 2, 2);
  first.connect();
  const before = await first.producer.request(1);
  assert.deepEqual(batchIn(before), { count: 6, baseSequence: 0, producerId: 42n });
  // No answer comes, more batches go to the disk behind this one, and then the process dies.
  before.fail(new Error('connection lost'));
  first.deliver(0, 4, 4);
  await first.delivery.flushed();
  const directory = crashCopy(t, first.directory);

  const second = await setUp(t, { directory });
  second.connect(LATER_IDENTITY);
  const again = await second.producer.request(1);
  assert.deepEqual(batchIn(again), { count: 6, baseSequence: 0, producerId: 42n });
  again.answerAll(0);
  const rest = await second.producer.request(2);
  assert.deepEqual([batchIn(rest).count, batchIn(rest).baseSequence], [8, 6]);
  rest.answerAll(0);
  await until(() => second.delivery.spoolingPartitions === 0, 'the spool is drained');
});

test('a batch that was sent before it went to the disk is sent again unchanged and alone', async (t) => {
  const { delivery, producer, deliver, connect } = await setUp(t);
  connect();
  deliver(0, 4);
  const sent = await producer.request(1);
  deliver(0, 1, 1);
  sent.fail(overdue());
  const again = await producer.request(2);
  assert.deepEqual(again.bytes, sent.bytes);
  again.answerAll(0);
  const rest = await producer.request(3);
  assert.deepEqual(batchIn(rest), { count: 2, baseSequence: 4, producerId: 42n });
  rest.answerAll(0);
  await until(() => delivery.spoolingPartitions === 0, 'the spool is drained');
});

test('under steady load a partition leaves the disk: batches that come while its last one is in flight wait in memory', async (t) => {
  const { delivery, producer, budget, session, deliver, connect, spoolBatches } = await setUp(t);
  await spoolBatches(2, 2);
  connect();
  const last = await producer.request(1);
  deliver(0, 3);
  deliver(0, 1);
  await turns();
  assert.deepEqual([delivery.counters.batchesSpooled, delivery.inFlightRecords], [2, 4]);
  assert.deepEqual(session.storedSeqs, [1, 2]);
  last.answerAll(0);
  let baseSequence = 4;
  for (const [index, count] of [3, 1].entries()) {
    const sent = await producer.request(2 + index);
    assert.equal(delivery.spoolingPartitions, 0);
    assert.deepEqual(batchIn(sent), { count, baseSequence, producerId: 42n });
    baseSequence += count;
    sent.answerAll(0);
  }
  await delivery.flushed();
  assert.deepEqual(session.storedSeqs, [1, 2, 3, 4]);
  assert.deepEqual([delivery.counters.batchesSpooled, budget.used], [2, 0]);
});

for (const [what, happen] of [
  ['that batch fails', (sent) => sent.fail(new Error('connection lost'))],
  ['Kafka goes out of reach', (_, delivery) => delivery.unreachable()],
  ['the gateway stops', (_, delivery) => void delivery.spoolAll()],
] as const satisfies readonly (readonly [string, (sent: SentRequest, delivery: Delivery) => void])[]) {
  test(`batches that wait in memory for the disk’s last batch are written to the disk when ${what}`, async (t) => {
    const { delivery, producer, budget, session, spool, deliver, connect, spoolBatches } = await setUp(t);
    await spoolBatches(2);
    connect();
    const last = await producer.request(1);
    deliver(0, 3, 1);
    await turns();
    assert.equal(delivery.inFlightRecords, 4);
    happen(last, delivery);
    await until(() => delivery.inFlightRecords === 0, 'all is on disk');
    assert.deepEqual([spool.records, budget.used], [6, 0]);
    assert.deepEqual(session.storedSeqs, [1, 2, 3]);
  });
}

test('batches that a full disk does not take go to Kafka from memory, behind those on the disk, once Kafka is back', async (t) => {
  // Room for a little more than one batch, and for none.
  for (const maxBytes of [1500, 10]) {
    const { delivery, producer, budget, session, spool, deliver, connect } = await setUp(t, { maxBytes });
    delivery.unreachable();
    deliver(0, ...Array.from({ length: 9 }, () => 2));
    await until(() => delivery.spoolTrouble !== null, 'the disk is full');
    assert.equal(delivery.spoolTrouble, 'SPOOL_MAX_BYTES is reached');
    const onDisk = spool.records;
    assert.ok(maxBytes === 10 ? onDisk === 0 : onDisk > 0 && onDisk < 18, `${onDisk} records on disk`);
    assert.equal(delivery.inFlightRecords, 18 - onDisk);
    connect();
    let next = 0;
    for (let number = 1; next < 18; number++) {
      const sent = await producer.request(number);
      const { count, baseSequence, producerId } = batchIn(sent);
      assert.deepEqual([baseSequence, producerId], [next, 42n]);
      next += count;
      sent.answerAll(0);
    }
    await until(() => delivery.inFlightRecords + delivery.spooledRecords === 0, 'all is in Kafka');
    assert.deepEqual(session.storedSeqs, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual([budget.used, delivery.spoolingPartitions, delivery.counters.confirmed], [0, 0, 18]);
    await until(() => delivery.spoolTrouble === null, 'the trouble is over');
  }
});

for (const [what, maxAttempts, happen] of [
  // REQUEST_TIMED_OUT, MESSAGE_TOO_LARGE
  ['does not take the batch', 1, (sent) => sent.answerAll(7)],
  ['refuses the batch', 3, (sent) => sent.answerAll(10)],
  ['closes each connection', 2, (sent) => sent.fail(new Error('connection lost'))],
] as const satisfies readonly (readonly [string, number, (sent: SentRequest) => void])[]) {
  test(`while the disk is full and Kafka ${what}, tries become rarer, and the trouble of the disk is told`, async (t) => {
    const { delivery, producer, session, deliver, connect } = await setUp(t, { maxBytes: 10, maxAttempts });
    connect();
    const { mock } = t.mock.method(Cursor.prototype, 'sync');
    deliver(0, 2);
    const endMs = performance.now() + 1000;
    let answered = 0;
    while (performance.now() < endMs) {
      while (answered < producer.sent.length) happen(await producer.request(++answered));
      await turns(1);
    }
    // The pauses are at least 25, 50, 100, 200 and 400 ms. Without them there were 2,800 tries and syncs in a second.
    assert.ok(answered <= 7, `${answered} tries in a second`);
    // Two are for the new log.
    assert.ok(mock.callCount() <= answered + 2, `${mock.callCount()} syncs for ${answered} tries`);
    assert.equal(delivery.spoolTrouble, 'SPOOL_MAX_BYTES is reached');
    (await producer.request(answered + 1)).answerAll(0);
    await until(() => delivery.inFlightRecords === 0, 'the batch is in Kafka');
    assert.deepEqual(session.storedSeqs, [1]);
  });
}

test('a batch that is being prepared when the cluster changes goes to the new one under its identity', async (t) => {
  const { delivery, producer, spool, connect, spoolBatches } = await setUp(t);
  await spoolBatches(2);
  const log = await spool.log(0);
  const setSendingEnd = log.setSendingEnd.bind(log);
  log.setSendingEnd = async (end) => {
    await setSendingEnd(end);
    log.setSendingEnd = setSendingEnd;
    delivery.setLeaders(LEADERS, LATER_IDENTITY, 'another cluster');
  };
  connect();
  assert.deepEqual(batchIn(await producer.request(1)), { count: 2, baseSequence: 0, producerId: 77n });
});

test('a batch that could not be written before the cluster changed is stamped for the new one', async (t) => {
  const { delivery, producer, deliver, connect } = await setUp(t, { maxBytes: 10 });
  connect();
  deliver(1, 5);
  (await producer.request(1)).answerAll(0);
  deliver(1, 2);
  (await producer.request(2)).fail(overdue());
  delivery.unreachable();
  await until(() => delivery.spoolTrouble !== null, 'the disk is full');
  delivery.setLeaders(LEADERS, LATER_IDENTITY, 'another cluster');
  assert.deepEqual(batchIn(await producer.request(3)), { count: 2, baseSequence: 0, producerId: 77n });
});

test('a producer id that the former cluster gave while the cluster changed is not used in the new one', async (t) => {
  const { producer, delivery, deliver, connect } = await setUp(t, { maxAttempts: 9 });
  connect();
  deliver(0, 2);
  let give: (identity: typeof IDENTITY) => void = () => {};
  const { initProducerId } = producer;
  producer.initProducerId = () =>
    new Promise((resolve) => {
      give = resolve;
      producer.initProducerId = initProducerId;
    });
  // OUT_OF_ORDER_SEQUENCE_NUMBER
  (await producer.request(1)).answerAll(45);
  await until(() => producer.initProducerId === initProducerId, 'an id is asked for');
  delivery.setLeaders(LEADERS, LATER_IDENTITY, 'another cluster');
  give({ producerId: 9n, producerEpoch: 0 });
  assert.deepEqual(batchIn(await producer.request(2)), { count: 2, baseSequence: 0, producerId: 500n });
});

test('with acks 1 a batch that was stamped for another cluster loses its stamp', async (t) => {
  const first = await setUp(t);
  first.connect();
  first.deliver(0, 2);
  (await first.producer.request(1)).fail(overdue());
  await until(() => first.spool.records === 2, 'it is on disk');
  const directory = crashCopy(t, first.directory);
  const { delivery, producer } = await setUp(t, { directory, acks: 1 });
  delivery.adoptPartitions(LEADERS.length, LIMITS);
  delivery.setLeaders(LEADERS, undefined, 'another cluster');
  assert.deepEqual(batchIn(await producer.request(1)), { count: 2, baseSequence: -1, producerId: -1n });
});

test('a sequence that the disk could not forget is not given to batches from memory', async (t) => {
  const { delivery, producer, deliver, connect, spoolBatches } = await setUp(t);
  await spoolBatches(2);
  connect();
  const fromDisk = await producer.request(1);
  t.mock.method(Cursor.prototype, 'sync', () => Promise.reject(new Error('EIO')));
  fromDisk.answerAll(0);
  await until(() => delivery.spoolingPartitions === 0, 'the partition leaves the disk');
  deliver(0, 3);
  assert.deepEqual(batchIn(await producer.request(2)), { count: 3, baseSequence: 0, producerId: 500n });
});

for (const after of ['it can be written again', 'half a minute']) {
  test(`while the cursor cannot be written, nothing is sent from the disk until ${after}`, async (t) => {
    const { producer, connect, spoolBatches, directory } = await setUp(t);
    await spoolBatches(2);
    let [tries, aheadMs] = [0, 0];
    const now = performance.now.bind(performance);
    t.mock.method(performance, 'now', () => now() + aheadMs);
    const { mock } = t.mock.method(Cursor.prototype, 'sync', () => {
      tries++;
      return Promise.reject(new Error('EIO'));
    });
    const tryAgain = async (times: number) => {
      for (const last = tries + times; tries < last; ) {
        const before = tries;
        connect();
        await until(() => tries > before || producer.sent.length > 0, 'the cursor is written again');
        assert.deepEqual(producer.sent, []);
      }
    };
    await tryAgain(6);
    aheadMs = 29_000;
    await tryAgain(4);
    const expected = { count: 2, baseSequence: 0, producerId: 42n };
    if (after === 'half a minute') {
      aheadMs = 31_000;
      connect();
      assert.deepEqual(batchIn(await producer.request(1)), expected);
      return;
    }
    mock.restore();
    connect();
    assert.deepEqual(batchIn(await producer.request(1)), expected);
    const later = await setUp(t, { directory: crashCopy(t, directory) });
    later.connect(LATER_IDENTITY);
    assert.deepEqual(batchIn(await later.producer.request(1)), expected);
  });
}

test('batches that wait for the disk’s last batch are written to the disk if that one cannot be prepared', async (t) => {
  const { spool, session, deliver, connect, spoolBatches } = await setUp(t);
  await spoolBatches(2);
  const log = await spool.log(0);
  let isTried = false;
  log.setSendingEnd = () => {
    isTried = true;
    return Promise.reject(new Error('EIO'));
  };
  connect();
  deliver(0, 3);
  await until(() => isTried, 'the last batch is prepared');
  deliver(0, 4);
  await until(() => session.storedSeqs.length === 3, 'all is on disk', 300);
});

test('if the disk fails while batches are merged, none of them is skipped', async (t) => {
  const { producer, spool, connect, spoolBatches } = await setUp(t);
  await spoolBatches(1, 2, 3);
  const log = await spool.log(0);
  const { peekAdjoining } = log;
  let failures = 0;
  log.peekAdjoining = (end) => {
    if (failures++ < 1) return Promise.reject(new Error('EMFILE'));
    return peekAdjoining.call(log, end);
  };
  connect();
  assert.deepEqual(batchIn(await producer.request(1)), { count: 6, baseSequence: 0, producerId: 42n });
  assert.equal(failures, 4);
});

test('Kafka does not take records for lost ones whose offsets they got', async (t) => {
  const first = await setUp(t);
  await first.spoolBatches(1);
  await first.spoolBatches(2);
  first.connect();
  assert.equal(batchIn(await first.producer.request(1)).count, 3);
  const directory = crashCopy(t, first.directory);
  // A power cut with SPOOL_SYNC=os: the second batch is lost, although Kafka may have it.
  const [segment] = readdirSync(join(directory, 'readings-0')).filter((name) => name.endsWith('.log'));
  const path = join(directory, 'readings-0', segment ?? '');
  truncateSync(path, statSync(path).size - 10);
  const { producer, connect, spoolBatches } = await setUp(t, { directory });
  await spoolBatches(2);
  connect(LATER_IDENTITY);
  const again = await producer.request(1);
  assert.deepEqual(batchIn(again), { count: 1, baseSequence: 0, producerId: 42n });
  again.answerAll(0);
  assert.deepEqual(batchIn(await producer.request(2)), { count: 2, baseSequence: 0, producerId: 77n });
});

test('a batch that is written while the cluster changes does not keep its stamp', async (t) => {
  const { delivery, producer, spool, deliver, connect } = await setUp(t);
  connect();
  const log = await spool.log(0);
  const { append } = log;
  const written = new Gate();
  let isWriting = false;
  log.append = async (batches) => {
    isWriting = true;
    await written.opened;
    await append.call(log, batches);
  };
  deliver(0, 2);
  (await producer.request(1)).fail(overdue());
  await until(() => isWriting, 'it goes to the disk');
  delivery.setLeaders(LEADERS, LATER_IDENTITY, 'another cluster');
  await until(() => log.foreignEnd === 2, 'the cursor is bound');
  written.open();
  assert.deepEqual(batchIn(await producer.request(2)), { count: 2, baseSequence: 0, producerId: 77n });
});
