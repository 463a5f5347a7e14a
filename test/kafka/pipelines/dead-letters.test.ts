// Tests dead letters with a real spool and a fake broker: when a letter counts as kept, and which letters a later
// process finds.
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Batcher } from '../../../src/kafka/batches/batcher.ts';
import { recordParts } from '../../../src/kafka/batches/record-body.ts';
import { unpack } from '../../../src/kafka/batches/split-batch.ts';
import type { Delivery } from '../../../src/kafka/delivery/delivery.ts';
import { type DeadLetter, DeadLetters, letterOf } from '../../../src/kafka/pipelines/dead-letters.ts';
import { SpoolCap } from '../../../src/spool/spool-cap.ts';
import { temporaryDirectory } from '../../spool/support.ts';
import { Gate } from '../client/scripted-broker.ts';
import { deliveryTo, IDENTITY, LIMITS, openTopic, type TopicOptions } from '../delivery/delivery-stage.ts';
import { batchOf, FakeProducer, fakeSession, silent, turns, until } from '../delivery/fakes.ts';
import { ModelBroker } from '../delivery/model-broker.ts';

const DELIVERY = { requestTimeoutMs: 60_000, maxAttempts: 1 };
const INVALID_RECORD = 87;
const MESSAGE_TOO_LARGE = 10;

interface Options extends Pick<TopicOptions, 'directory' | 'partitions'> {
  readonly maxDiskBytes?: number;
  readonly bufferBytes?: number;
  readonly hasTopic?: boolean;
  readonly linesPerSecond?: number;
}

/** The dead letters of a process. Kafka cannot be reached until connect(). */
async function setUp(t: TestContext, options: Options = {}) {
  const {
    maxDiskBytes = 2 ** 24,
    bufferBytes = 2 ** 20,
    hasTopic = true,
    partitions = 3,
    directory,
  } = options;
  const { linesPerSecond = 100 } = options;
  const producer = new FakeProducer();
  const made = deliveryTo(producer, DELIVERY, {
    bufferBytes,
    partitionIdle: (partition) => batcher.partitionIdle(partition),
    // As pipeline.ts does it for dead letters.
    recordRefused: ({ timestampMs, body }, _reason, partition) =>
      delivery.beyondCap(partition, batcher.appendRaw(partition, timestampMs, body).settled()),
  });
  const { budget } = made;
  const delivery: Delivery = made.delivery;
  const batcher: Batcher = new Batcher(
    { maxRecords: 100, maxBytes: 100_000, lingerMs: 1, maxMessageBytes: 1_000_000 },
    { budget, sink: delivery },
  );
  const cap = new SpoolCap(maxDiskBytes, 'SPOOL_DEAD_BYTES');
  const opened = await openTopic(t, { directory, cap, partitions, sync: 'batch' });
  const { spool, closeSpool } = opened;
  const letters = new DeadLetters(
    { batcher, delivery, budget, link: undefined },
    { topic: hasTopic ? 'letters' : null, cap, linesPerSecond },
    silent,
  );
  letters.useSpool(spool);
  letters.start();
  const close = async () => {
    batcher.stop();
    await delivery.close();
    await closeSpool();
  };
  t.after(close);
  const connect = () => {
    // As the metadata refresher does it.
    if (delivery.adoptPartitions(partitions, LIMITS)) batcher.setPartitions(partitions);
    delivery.setLeaders(new Array<number>(partitions).fill(1), IDENTITY);
  };
  return { ...opened, producer, budget, delivery, letters, connect, close };
}

function letter(value: string, reason = 'MESSAGE_TOO_LARGE'): Omit<DeadLetter, 'device'> {
  return {
    value: Buffer.from(value),
    reason,
    topic: 'readings',
    connectionId: 'c',
    zipcode: '90210',
    remoteAddress: '127.0.0.1',
    receivedAtMs: Date.UTC(2026, 10, 28),
  };
}

/** Tells whether a promise has resolved. */
function watch(promise: Promise<void>): () => boolean {
  let isDone = false;
  void promise.then(() => {
    isDone = true;
  });
  return () => isDone;
}

async function valuesIn(batch: Buffer | undefined): Promise<string[]> {
  const records = await unpack(batch ?? Buffer.alloc(0));
  return records.map(({ body }) => recordParts(body).value.toString());
}

test('a letter in flight counts as kept and sent once Kafka acknowledges it', async (t) => {
  const { letters, connect, producer } = await setUp(t);
  connect();
  const isKept = watch(letters.record(letter('a')));
  const request = await producer.request(1);
  await turns();
  assert.deepEqual([isKept(), letters.sent, letters.waiting], [false, 0, 1]);
  request.answerAll(0);
  await until(isKept, 'the letter is kept');
  assert.deepEqual([letters.sent, letters.waiting, letters.problem], [1, 0, null]);
});

for (const [name, errorCode] of [
  ['INVALID_RECORD', INVALID_RECORD],
  ['MESSAGE_TOO_LARGE', MESSAGE_TOO_LARGE],
  ['TOPIC_AUTHORIZATION_FAILED', 29],
] as const) {
  test(`a letter that Kafka refuses with ${name} is kept on disk, and a later process sends it`, async (t) => {
    const first = await setUp(t);
    first.connect();
    const isKept = watch(first.letters.record(letter('a')));
    (await first.producer.request(1)).answerAll(errorCode);
    await until(isKept, 'the letter is on disk');
    // Kafka refuses it from the disk as well, so it stays there.
    (await first.producer.request(2)).answerAll(errorCode);
    await until(() => first.delivery.failingPartitions === 1, 'the partition waits');
    const { sent, waiting, bytes } = first.letters;
    assert.deepEqual([sent, waiting], [0, 1]);
    assert.ok(bytes > 0);
    await first.close();

    const second = await setUp(t, { directory: first.directory });
    assert.deepEqual([second.report.records, second.letters.waiting, second.letters.sent], [1, 1, 0]);
    second.connect();
    const request = await second.producer.request(1);
    assert.deepEqual(await valuesIn(request.bytes[0]), ['a']);
    request.answerAll(0);
    await until(() => second.letters.sent === 1, 'the letter is sent');
    await until(() => second.letters.bytes === 0, 'it leaves the disk');
    assert.equal(second.letters.waiting, 0);
  });
}

test('letters that are too large for one batch are sent separately', async (t) => {
  const { letters, connect, producer } = await setUp(t, { partitions: 1 });
  connect();
  const kept = ['a', 'b'].map((value) => watch(letters.record(letter(value))));
  (await producer.request(1)).answerAll(MESSAGE_TOO_LARGE);
  // Kafka refuses it from the disk as well, so it is split.
  (await producer.request(2)).answerAll(MESSAGE_TOO_LARGE);
  for (const [index, value] of ['a', 'b'].entries()) {
    const request = await producer.request(3 + index);
    assert.deepEqual(await valuesIn(request.bytes[0]), [value]);
    request.answerAll(0);
  }
  await until(() => kept.every((isKept) => isKept()), 'both are kept');
  await until(() => letters.sent === 2, 'both are sent');
});

test('while Kafka is away letters are kept on disk, and no letter of a record is dropped', async (t) => {
  const { letters, spool } = await setUp(t);
  await Promise.all(['a', 'b', 'c'].map((value) => letters.record(letter(value))));
  assert.deepEqual([letters.waiting, spool.records, letters.sent, letters.dropped], [3, 3, 0, 0]);
  assert.match(letters.problem ?? '', /KAFKA_TOPIC_DEAD_LETTERS is empty/);
  assert.equal(letters.blocked, null);
});

test('when SPOOL_DEAD_BYTES are used up a record’s letter waits and reports it, and is kept once there is room', async (t) => {
  const { letters, spool, connect, producer } = await setUp(t, { maxDiskBytes: 20_000 });
  for (let n = 0; n < 4; n++) await letters.record(letter(`${n}`.repeat(4000)));
  const isKept = watch(letters.record(letter('4'.repeat(4000))));
  await until(() => letters.blocked !== null, 'the letter waits');
  await turns(100);
  assert.equal(isKept(), false);
  assert.equal(spool.records, 4);
  assert.equal(letters.waiting, 5);
  assert.match(letters.blocked ?? '', /SPOOL_DEAD_BYTES is reached/);
  assert.equal(letters.problem, letters.blocked);

  connect();
  for (let answered = 0; letters.sent < 5; answered++) {
    await until(() => producer.sent.length > answered || letters.sent === 5, 'the next request');
    producer.sent[answered]?.answerAll(0);
    await turns();
  }
  await until(isKept, 'the letter is kept');
  assert.deepEqual([letters.waiting, letters.dropped, letters.blocked], [0, 0, null]);
});

test('refused lines get half of the disk, and letters of records the rest', async (t) => {
  const maxDiskBytes = 200_000;
  const { letters, spool } = await setUp(t, { maxDiskBytes, linesPerSecond: 1000 });
  for (let n = 0; n < 100; n++) {
    letters.line(letter('x'.repeat(4000), 'invalid_json'));
    await until(() => spool.records === letters.waiting, 'the line is on disk');
  }
  const lines = letters.waiting;
  assert.equal(letters.dropped, 100 - lines);
  assert.ok(letters.bytes <= maxDiskBytes / 2, `${letters.bytes} bytes of lines`);
  assert.ok(letters.bytes > maxDiskBytes / 2 - 5000, `${letters.bytes} bytes of lines`);
  // There is room for a record's letter. Once letters fill the first half too, no line is added.
  for (let n = 0; n < 20; n++) await letters.record(letter('y'.repeat(4000)));
  letters.line(letter('x'.repeat(4000), 'invalid_json'));
  assert.equal(letters.waiting, lines + 20);
  assert.equal(letters.dropped, 101 - lines);
});

test('refused lines get half of the memory while the disk takes nothing', async (t) => {
  const bufferBytes = 100_000;
  const { letters, budget } = await setUp(t, { maxDiskBytes: 2 ** 20, bufferBytes, linesPerSecond: 1000 });
  // In one turn, before any line can reach the disk.
  for (let n = 0; n < 100; n++) letters.line(letter('x'.repeat(4000), 'invalid_json'));
  assert.ok(budget.used <= bufferBytes / 2, `${budget.used} bytes in memory`);
  assert.equal(letters.dropped, 100 - letters.waiting);
  await letters.record(letter('y'));
});

test('a record’s letter waits for room if memory is full, and is not dropped', async (t) => {
  const { letters, spool } = await setUp(t, { bufferBytes: 1000 });
  await Promise.all(Array.from({ length: 10 }, (_, n) => letters.record(letter(`${n}`.repeat(500)))));
  assert.deepEqual([spool.records, letters.waiting, letters.dropped], [10, 10, 0]);
});

test('refused lines above their rate are dropped and counted, letters of records never', async (t) => {
  const { letters } = await setUp(t, { linesPerSecond: 2 });
  for (let n = 0; n < 5; n++) letters.line(letter('x', 'invalid_json'));
  assert.equal(letters.dropped, 3);
  await letters.record(letter('y'));
  await until(() => letters.waiting === 3, 'what was kept');
  assert.equal(letters.dropped, 3);
});

test('without a topic refused lines are not kept, and letters of records stay on disk', async (t) => {
  const { letters, spool } = await setUp(t, { hasTopic: false });
  letters.line(letter('x', 'invalid_json'));
  assert.deepEqual([letters.waiting, letters.dropped], [0, 0]);
  await letters.record(letter('y'));
  assert.deepEqual([letters.waiting, spool.records], [1, 1]);
  assert.match(letters.problem ?? '', /KAFKA_TOPIC_DEAD_LETTERS is empty/);
});

test('a letter that is still in flight when the gateway stops goes to the disk', async (t) => {
  const { letters, connect, producer, delivery, spool } = await setUp(t);
  connect();
  const isKept = watch(letters.record(letter('a')));
  const request = await producer.request(1);
  const isSpooled = watch(delivery.spoolAll());
  request.fail(new Error('the connection was closed'));
  await until(isSpooled, 'nothing is left in memory');
  await until(isKept, 'the letter is kept');
  assert.deepEqual([spool.records, letters.waiting, letters.sent], [1, 1, 0]);
});

test('a letter that is not durable when the gateway closes never counts as kept', async (t) => {
  const { letters, connect, producer, close } = await setUp(t);
  connect();
  const isKept = watch(letters.record(letter('a')));
  await producer.request(1);
  await close();
  await turns(100);
  assert.equal(isKept(), false);
});

/** A partition's readings on disk, of which Kafka refuses the first, and dead letters whose Kafka is away. */
async function refuse(
  t: TestContext,
  directory: string,
  recordRefused: (keep: () => Promise<void>) => Promise<void>,
) {
  const dead = await setUp(t, { directory: join(directory, 'dead-letters') });
  const broker = new ModelBroker();
  broker.check = ({ value }) => (value.includes('"n":0') ? INVALID_RECORD : 0);
  const { delivery: readings, deliver } = deliveryTo(broker, DELIVERY, {
    recordRefused: (record, reason) =>
      recordRefused(() =>
        dead.letters.record({ ...letterOf(record, { reason, topic: 'readings' }).letter, remoteAddress: '' }),
      ),
  });
  const { spool, report, closeSpool } = await openTopic(t, { directory, partitions: 1, sync: 'batch' });
  readings.useSpool(spool);
  const close = async () => {
    await Promise.all([readings.close(), dead.close()]);
    await closeSpool();
  };
  t.after(close);
  const connect = () => {
    readings.adoptPartitions(1, LIMITS);
    readings.setLeaders([1], IDENTITY);
  };
  /** Puts two readings on the disk, and then reaches Kafka. */
  const begin = async () => {
    readings.unreachable();
    deliver(batchOf(fakeSession(), 0, 2, 1));
    await readings.flushed();
    connect();
  };
  return { dead, readings, spool, report, connect, begin, close };
}

for (const [when, copies] of [
  ['before its letter is durable', 0],
  ['between its letter and its leaving the disk', 1],
] as const) {
  test(`a refused record whose gateway is killed ${when} is refused again, and has at most one more letter`, async (t) => {
    const directory = temporaryDirectory(t);
    const asKilled = `${directory}-killed`;
    t.after(() => rmSync(asKilled, { recursive: true, force: true }));
    let isCopied = false;
    const first = await refuse(t, directory, async (keep) => {
      if (copies > 0) await keep();
      // The disk as kill -9 would leave it at this moment.
      cpSync(directory, asKilled, { recursive: true });
      isCopied = true;
      if (copies === 0) await keep();
    });
    await first.begin();
    await until(() => isCopied, 'the disk is copied');
    await until(() => first.readings.counters.deadLettered === 1, 'the record is dead-lettered');
    assert.equal(first.dead.letters.waiting, 1);
    await first.close();

    let isRefused = false;
    const second = await refuse(t, asKilled, async (keep) => {
      await keep();
      isRefused = true;
    });
    assert.equal(second.report.records, 2);
    assert.equal(second.dead.letters.waiting, copies);
    second.connect();
    await until(() => isRefused, 'it is refused again');
    await until(() => second.readings.spooledRecords === 0, 'the record leaves the disk');
    assert.equal(second.dead.letters.waiting, copies + 1);
    await second.close();
  });
}

test('a refused record stays on disk and does not count as dead-lettered until its letter is durable', async (t) => {
  const directory = temporaryDirectory(t);
  const answer = new Gate();
  let isAsked = false;
  const { readings, begin, spool } = await refuse(t, directory, async () => {
    isAsked = true;
    await answer.opened;
  });
  await begin();
  await until(() => isAsked, 'the record is refused');
  await turns(100);
  assert.deepEqual([readings.counters.deadLettered, readings.spooledRecords, spool.records], [0, 2, 2]);
  answer.open();
  await until(() => readings.counters.deadLettered === 1, 'the record is dead-lettered');
  await until(() => spool.records === 0, 'it leaves the disk');
});

/** Kafka takes every letter except those with this text, until `count` letters are sent. */
async function sendAllBut(
  text: string,
  { letters, producer, count }: { letters: DeadLetters; producer: FakeProducer; count: number },
): Promise<void> {
  let answered = 0;
  await until(() => {
    for (; answered < producer.sent.length; answered++) {
      const request = producer.sent[answered];
      request?.answerAll(request.bytes.some((bytes) => bytes.includes(text)) ? INVALID_RECORD : 0);
    }
    return letters.sent === count;
  }, 'the others are sent');
}

test('a letter that Kafka never takes stays, and does not hold up the others', async (t) => {
  const { letters, connect, producer, spool } = await setUp(t);
  await Promise.all(['never', 'a', 'b'].map((value) => letters.record(letter(value))));
  connect();
  await sendAllBut('never', { letters, producer, count: 2 });
  await until(() => spool.records === 1, 'only the one is left');
  assert.deepEqual([letters.sent, letters.waiting, letters.dropped], [2, 1, 0]);
});

test('when SPOOL_DEAD_BYTES are used up, a letter that Kafka never takes does not hold up the others either', async (t) => {
  const { letters, connect, producer, spool } = await setUp(t, { maxDiskBytes: 20_000 });
  const value = (text: string) => text.padEnd(4000, '.');
  // All letters are in partition 0, and the one that Kafka never takes comes first.
  for (const text of ['never', 'a', 'b', 'c']) await letters.record(letter(value(text)));
  const isKept = watch(letters.record(letter(value('d'))));
  await until(() => letters.blocked !== null, 'the spool is full');
  connect();
  await sendAllBut('never', { letters, producer, count: 4 });
  await until(isKept, 'the letter that waited is kept');
  await until(() => spool.records === 1, 'only the one is left');
  assert.deepEqual([letters.waiting, letters.dropped, letters.blocked], [1, 0, null]);
});
