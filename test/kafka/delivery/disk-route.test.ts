// Tests Delivery with a real spool and a fake broker: which batches are sent from the disk, and how a later start goes
// on with them.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BufferBudget } from '../../../src/kafka/batches/buffer-budget.ts';
import { createCodec } from '../../../src/kafka/batches/compression.ts';
import { Delivery, type DeliveryOptions } from '../../../src/kafka/delivery/delivery.ts';
import { portableCrc32c } from '../../../src/spool/crc32c.ts';
import { Cursor } from '../../../src/spool/cursor.ts';
import { Spool } from '../../../src/spool/spool.ts';
import { SpoolCap } from '../../../src/spool/spool-cap.ts';
import { decodeBatch } from '../batches/decode-batch.ts';
import { batchOf, FakeProducer, fakeSession, type SentRequest, silent, turns, until } from './fakes.ts';

const IDENTITY = { producerId: 42n, producerEpoch: 3 };
const LATER_IDENTITY = { producerId: 77n, producerEpoch: 0 };
const LEADERS = [1, 1, 1];
const LIMITS = { bytes: 100_000, records: 100 };

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-spool-path-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function setUp(
  t: TestContext,
  {
    directory = temporaryDirectory(t),
    maxBytes = 2 ** 24,
    ...options
  }: Partial<DeliveryOptions> & { directory?: string; maxBytes?: number } = {},
) {
  const producer = new FakeProducer();
  const refused: string[] = [];
  const budget = new BufferBudget(2 ** 20, 0);
  const delivery = new Delivery(
    { topic: 'readings', acks: -1, requestTimeoutMs: 1000, maxAttempts: 1, ...options },
    {
      codec: createCodec('none'),
      budget,
      producer,
      events: {
        leadersStale: () => {},
        partitionIdle: () => {},
        recordRefused: async ({ value }) => void refused.push(value.toString()),
      },
      log: silent,
    },
  );
  const opened = await Spool.open({
    directory,
    cap: new SpoolCap(maxBytes),
    segmentBytes: 2 ** 16,
    sync: 'batch',
    partitions: LEADERS.length,
  });
  const spool = await opened.spool.topic('readings');
  await spool.setPartitionCount(LEADERS.length);
  delivery.useSpool(spool);
  t.after(async () => {
    await delivery.close();
    await opened.spool.close();
  });
  const session = fakeSession();
  let seq = 0;
  /** Delivers batches of these sizes. The session hears the number of each batch. */
  const deliver = (partition: number, ...counts: readonly number[]) => {
    for (const count of counts) {
      const batch = batchOf(session, partition, count, ++seq);
      budget.take(batch.heldBytes);
      delivery.deliver(batch);
    }
  };
  const connect = (identity = IDENTITY, cluster = 'cluster') => {
    delivery.adoptPartitions(LEADERS.length, LIMITS);
    delivery.setLeaders(LEADERS, identity, cluster);
  };
  return { delivery, producer, spool, budget, session, refused, deliver, connect, directory };
}

function batchIn(sent: SentRequest) {
  const { records, baseSequence, producerId } = decodeBatch(sent.bytes[0] as Buffer);
  return { count: records.length, baseSequence, producerId };
}

test('small batches on disk go to Kafka as few large ones, within the limits, numbered without gaps', async (t) => {
  const { delivery, producer, session, spool, budget, deliver, connect } = await setUp(t);
  delivery.unreachable();
  deliver(0, ...Array.from({ length: 70 }, () => 3));
  await delivery.flushed();
  assert.deepEqual(session.storedSeqs.length, 70);
  connect();
  let sequence = 0;
  for (const [number, count] of [
    [1, 99],
    [2, 99],
    [3, 12],
  ] as const) {
    const sent = await producer.request(number);
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
    const { delivery, producer, spool, session, deliver } = await setUp(t, { acks });
    delivery.unreachable();
    deliver(0, 3, 3, 3);
    await delivery.flushed();
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

test('after a crash, batches that may have reached Kafka get the same bounds and sequences again', async (t) => {
  const first = await setUp(t);
  first.delivery.unreachable();
  first.deliver(0, 2, 2, 2);
  await first.delivery.flushed();
  first.connect();
  const before = await first.producer.request(1);
  assert.deepEqual(batchIn(before), { count: 6, baseSequence: 0, producerId: 42n });
  // No answer comes, more batches go to the disk behind this one, and then the process dies.
  before.fail(new Error('connection lost'));
  first.deliver(0, 4, 4);
  await first.delivery.flushed();
  const directory = temporaryDirectory(t);
  cpSync(first.directory, directory, { recursive: true });

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
  sent.fail(Object.assign(new Error('no answer'), { code: 'TIMEOUT' }));
  const again = await producer.request(2);
  assert.deepEqual(again.bytes, sent.bytes);
  again.answerAll(0);
  const rest = await producer.request(3);
  assert.deepEqual(batchIn(rest), { count: 2, baseSequence: 4, producerId: 42n });
  rest.answerAll(0);
  await until(() => delivery.spoolingPartitions === 0, 'the spool is drained');
});

test('under steady load a partition leaves the disk: batches that come while its last one is in flight wait in memory', async (t) => {
  const { delivery, producer, budget, session, deliver, connect } = await setUp(t);
  delivery.unreachable();
  deliver(0, 2, 2);
  await delivery.flushed();
  connect();
  const last = await producer.request(1);
  deliver(0, 3);
  deliver(0, 1);
  await turns();
  assert.deepEqual([delivery.counters.batchesSpooled, delivery.inFlightRecords], [2, 4]);
  assert.deepEqual(session.storedSeqs, [1, 2]);
  last.answerAll(0);
  for (const [number, count, baseSequence] of [
    [2, 3, 4],
    [3, 1, 7],
  ] as const) {
    const sent = await producer.request(number);
    assert.equal(delivery.spoolingPartitions, 0);
    assert.deepEqual(batchIn(sent), { count, baseSequence, producerId: 42n });
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
    const { delivery, producer, budget, session, spool, deliver, connect } = await setUp(t);
    delivery.unreachable();
    deliver(0, 2);
    await delivery.flushed();
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

test('a batch that is being prepared when the cluster changes goes to the new one under its identity', async (t) => {
  const { delivery, producer, spool, deliver, connect } = await setUp(t);
  delivery.unreachable();
  deliver(0, 2);
  await delivery.flushed();
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
  (await producer.request(2)).fail(Object.assign(new Error('no answer'), { code: 'TIMEOUT' }));
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
  (await first.producer.request(1)).fail(Object.assign(new Error('no answer'), { code: 'TIMEOUT' }));
  await until(() => first.spool.records === 2, 'it is on disk');
  const directory = temporaryDirectory(t);
  cpSync(first.directory, directory, { recursive: true });
  const { delivery, producer } = await setUp(t, { directory, acks: 1 });
  delivery.adoptPartitions(LEADERS.length, LIMITS);
  delivery.setLeaders(LEADERS, undefined, 'another cluster');
  assert.deepEqual(batchIn(await producer.request(1)), { count: 2, baseSequence: -1, producerId: -1n });
});

test('a sequence that the disk could not forget is not given to batches from memory', async (t) => {
  const { delivery, producer, deliver, connect } = await setUp(t);
  delivery.unreachable();
  deliver(0, 2);
  await delivery.flushed();
  connect();
  const fromDisk = await producer.request(1);
  t.mock.method(Cursor.prototype, 'sync', () => Promise.reject(new Error('EIO')));
  fromDisk.answerAll(0);
  await until(() => delivery.spoolingPartitions === 0, 'the partition leaves the disk');
  deliver(0, 3);
  assert.deepEqual(batchIn(await producer.request(2)), { count: 3, baseSequence: 0, producerId: 500n });
});

test('batches that wait for the disk’s last batch are written to the disk if that one cannot be prepared', async (t) => {
  const { delivery, spool, session, deliver, connect } = await setUp(t);
  delivery.unreachable();
  deliver(0, 2);
  await delivery.flushed();
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
  const { delivery, producer, spool, deliver, connect } = await setUp(t);
  delivery.unreachable();
  deliver(0, 1, 2, 3);
  await delivery.flushed();
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
  first.delivery.unreachable();
  first.deliver(0, 1);
  await first.delivery.flushed();
  first.deliver(0, 2);
  await first.delivery.flushed();
  first.connect();
  assert.equal(batchIn(await first.producer.request(1)).count, 3);
  const directory = temporaryDirectory(t);
  cpSync(first.directory, directory, { recursive: true });
  // A power cut with SPOOL_SYNC=os: the second batch is lost, although Kafka may have it.
  const [segment] = readdirSync(join(directory, 'readings-0')).filter((name) => name.endsWith('.log'));
  const path = join(directory, 'readings-0', segment ?? '');
  truncateSync(path, statSync(path).size - 10);
  const { delivery, producer, deliver, connect } = await setUp(t, { directory });
  delivery.unreachable();
  deliver(0, 2);
  await delivery.flushed();
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
  let write = (): void => {};
  const written = new Promise<void>((resolve) => {
    write = resolve;
  });
  let isWriting = false;
  log.append = async (batches) => {
    isWriting = true;
    await written;
    await append.call(log, batches);
  };
  deliver(0, 2);
  (await producer.request(1)).fail(Object.assign(new Error('no answer'), { code: 'TIMEOUT' }));
  await until(() => isWriting, 'it goes to the disk');
  delivery.setLeaders(LEADERS, LATER_IDENTITY, 'another cluster');
  await until(() => log.foreignEnd === 2, 'the cursor is bound');
  write();
  assert.deepEqual(batchIn(await producer.request(2)), { count: 2, baseSequence: 0, producerId: 77n });
});
