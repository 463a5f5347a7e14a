// When the batcher closes a batch, how far a batch grows, and where records go when the partitions change.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Batch } from '../../../src/kafka/batches/batch.ts';
import { Batcher, type BatcherOptions } from '../../../src/kafka/batches/batcher.ts';
import { BufferBudget } from '../../../src/kafka/batches/buffer-budget.ts';
import { createCodec } from '../../../src/kafka/batches/compression.ts';
import { CompressionRatio } from '../../../src/kafka/batches/compression-ratio.ts';
import { partitionOf } from '../../../src/kafka/batches/partitioner.ts';
import { UNPLACED } from '../../../src/kafka/batches/placement.ts';
import type { SealedBatch } from '../../../src/kafka/batches/record-batch.ts';
import { encodeBody } from '../../../src/kafka/batches/record-body.ts';
import type { Session } from '../../../src/queue/job.ts';
import { fakeSession, reading, turns, until } from '../delivery/fakes.ts';
import { decodeBatch } from './decode-batch.ts';

const HOUR_MS = 3_600_000;

/** @param options `partitions` of the topic, 0 if they are not known */
function setUp(
  t: TestContext,
  { partitions = 10, ...options }: Partial<BatcherOptions> & { partitions?: number } = {},
) {
  const delivered: Batch[] = [];
  const busy = new Set<number>();
  const inFlight = new Set<number>();
  const ratio = { least: 1 };
  const growth = { times: 100 };
  const budget = new BufferBudget(2 ** 24, 0);
  const batcher = new Batcher(
    { maxRecords: 1000, maxBytes: 64 * 1024, lingerMs: HOUR_MS, maxMessageBytes: 2 ** 20, ...options },
    {
      budget,
      sink: {
        isBusy: (partition) => busy.has(partition),
        growth: (partition) => (inFlight.has(partition) ? growth.times : 1),
        get compressionRatio() {
          return ratio.least;
        },
        deliver: (batch) => delivered.push(batch),
      },
    },
  );
  if (partitions > 0) batcher.setPartitions(partitions);
  t.after(() => batcher.stop());
  return { batcher, delivered, busy, inFlight, ratio, growth, budget };
}

const counts = (batches: readonly Batch[]) => batches.map(({ count }) => count);
const partitions = (batches: readonly Batch[]) => batches.map(({ partition }) => partition);
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

// A batch is sealed once.
const sealed = new WeakMap<Batch, Promise<SealedBatch>>();

async function recordsOf(batch: Batch) {
  const found = sealed.get(batch) ?? Promise.resolve(batch.writer.seal(createCodec('none')));
  sealed.set(batch, found);
  return decodeBatch((await found).bytes).records;
}

test('a batch is closed when it has its last record, and not before', (t) => {
  const { batcher, delivered } = setUp(t, { maxRecords: 3 });
  const session = fakeSession();
  for (let i = 0; i < 2; i++) batcher.append(session, reading('{"n":1}'));
  assert.deepEqual([delivered.length, batcher.openRecords, batcher.accepted], [0, 2, 2]);
  batcher.append(session, reading('{"n":1}'));
  assert.deepEqual([delivered.length, batcher.openRecords, delivered[0]?.count], [1, 0, 3]);
});

test('while an earlier batch is in flight a batch grows up to 16 times, and is delivered when the partition is idle', (t) => {
  const { batcher, delivered, busy, inFlight } = setUp(t, { maxRecords: 3 });
  const session = fakeSession();
  batcher.append(session, reading('{"n":1}'));
  const { partition } = session;
  busy.add(partition);
  inFlight.add(partition);
  for (let i = 1; i < 47; i++) batcher.append(session, reading('{"n":1}'));
  assert.deepEqual([delivered.length, batcher.openRecords], [0, 47]);
  batcher.append(session, reading('{"n":1}'));
  assert.deepEqual([delivered[0]?.count, batcher.openRecords], [48, 0]);

  for (let i = 0; i < 4; i++) batcher.append(session, reading('{"n":1}'));
  inFlight.delete(partition);
  busy.delete(partition);
  batcher.partitionIdle(partition);
  assert.deepEqual([delivered[1]?.count, batcher.openRecords], [4, 0]);
  // A batch that is not due waits for its time.
  for (let i = 0; i < 2; i++) batcher.append(session, reading('{"n":1}'));
  batcher.partitionIdle(partition);
  assert.equal(batcher.openRecords, 2);
});

test('a batch grows by the factor of its partition', (t) => {
  const { batcher, delivered, inFlight, growth } = setUp(t, { maxRecords: 10 });
  const session = fakeSession();
  batcher.append(session, reading('{"n":1}'));
  inFlight.add(session.partition);
  for (const times of [0, 1, 2.5]) {
    growth.times = times;
    const before = delivered.length;
    while (delivered.length === before) batcher.append(session, reading('{"n":1}'));
  }
  assert.deepEqual(counts(delivered), [10, 10, 25]);
});

test('a grown batch is closed by the next record once no earlier batch is in flight', (t) => {
  const { batcher, delivered, inFlight } = setUp(t, { maxRecords: 3 });
  const session = fakeSession();
  batcher.append(session, reading('{"n":1}'));
  inFlight.add(session.partition);
  for (let i = 1; i < 10; i++) batcher.append(session, reading('{"n":1}'));
  inFlight.clear();
  batcher.append(session, reading('{"n":1}'));
  assert.deepEqual(counts(delivered), [11]);
});

test('a batch grows to what fits max.message.bytes if it compresses as well as recent batches', (t) => {
  for (const least of [1, 2, 100]) {
    const { batcher, delivered, inFlight, ratio } = setUp(t, { maxBytes: 4096, maxMessageBytes: 10_000 });
    const session = fakeSession();
    ratio.least = least;
    batcher.append(session, reading('{"n":1}'));
    inFlight.add(session.partition);
    while (delivered.length === 0) batcher.append(session, reading(`{"text":"${'x'.repeat(300)}"}`));
    const limit = Math.min(16 * 4096, 8500 * least);
    const bytes = delivered[0]?.writer.bytes ?? 0;
    assert.ok(bytes <= limit && bytes > limit - 700, `${bytes} bytes of ${limit}`);
  }
});

test('the compression ratio is that of the worst of the recent large batches', () => {
  const ratio = new CompressionRatio();
  assert.equal(ratio.least, 1);
  ratio.note(1000, 900);
  assert.equal(ratio.least, 1);
  ratio.note(100_000, 25_000);
  assert.equal(ratio.least, 4);
  ratio.note(100_000, 50_000);
  for (let i = 0; i < 31; i++) {
    assert.equal(ratio.least, 2);
    ratio.note(100_000, 25_000);
  }
  ratio.note(100_000, 25_000);
  assert.equal(ratio.least, 4);
  // Records that do not compress stay as they are, and the header makes the batch larger than its records.
  ratio.note(100_000, 100_061);
  assert.equal(ratio.least, 1);
});

test('a batch never exceeds its bytes, and a larger record gets a batch of its own', (t) => {
  const { batcher, delivered } = setUp(t, { maxBytes: 4096 });
  const session = fakeSession();
  for (let i = 0; i < 100; i++) batcher.append(session, reading(`{"text":"${'x'.repeat(300)}"}`));
  batcher.append(session, reading(`{"text":"${'x'.repeat(9000)}"}`));
  batcher.flush();
  assert.equal(sum(counts(delivered)), 101);
  for (const { count, writer } of delivered.slice(0, -2)) {
    assert.ok(writer.bytes <= 4096, `${writer.bytes} bytes`);
    assert.ok(count > 5);
  }
  assert.equal(delivered.at(-1)?.count, 1);
});

test('a batch is delivered when its time is up and its partition is free', async (t) => {
  const { batcher, delivered, busy } = setUp(t, { lingerMs: 1 });
  const [slow, free] = [fakeSession('1'), fakeSession('2')];
  busy.add(partitionOf(slow.frame.key, 10));
  batcher.append(slow, reading('{"n":1}'));
  batcher.append(free, reading('{"n":1}'));
  await until(() => delivered.length === 1, 'the batch of the free partition is delivered');
  await turns();
  assert.deepEqual(partitions(delivered), [free.partition]);
  busy.clear();
  batcher.partitionIdle(slow.partition);
  await until(() => delivered.length === 2, 'the other batch is delivered');
  assert.equal(batcher.oldestOpenMs, undefined);
});

test('only the last reading of a message confirms it', (t) => {
  const { batcher, delivered } = setUp(t, { maxRecords: 2 });
  const session = fakeSession();
  batcher.append(session, reading('{"n":1}', { seq: 4, confirms: false }));
  batcher.append(session, reading('{"n":2}', { seq: 4, confirms: false }));
  batcher.append(session, reading('{"n":3}', { seq: 4 }));
  batcher.flush();
  const confirmed = delivered.map(({ confirmations }) => confirmations.get(session));
  assert.deepEqual(confirmed, [undefined, 4]);
});

test('before the partitions are known all keys share batches without a partition, which keep every confirmation', async (t) => {
  const { batcher, delivered, budget } = setUp(t, { partitions: 0, maxRecords: 17 });
  assert.equal(batcher.partitions, undefined);
  const sessions = Array.from({ length: 40 }, (_, i) => fakeSession(`zip-${i}`));
  for (let round = 0; round < 30; round++) {
    for (const session of sessions)
      batcher.append(session, reading(`{"n":${round}}`, { seq: round, receivedAtMs: 1_000_000 - round }));
  }
  const full = delivered.length;
  assert.ok(full > 0 && batcher.openRecords > 0);
  batcher.setPartitions(7);
  assert.equal(batcher.partitions, 7);
  // The batch without a partition is delivered at once, since nothing is added to it any more.
  assert.deepEqual([delivered.length, batcher.openRecords], [full + 1, 0]);
  assert.ok(delivered.every(({ partition }) => partition === UNPLACED));
  assert.equal(budget.used, sum(delivered.map(({ heldBytes }) => heldBytes)));
  const rounds = new Map<string, number[]>();
  const stored = new Map<Session, number>();
  for (const batch of delivered) {
    for (const { key, value, timestamp } of await recordsOf(batch)) {
      const round = Number(/"n":(\d+)/.exec(value ?? '')?.[1]);
      assert.equal(timestamp, BigInt(1_000_000 - round));
      rounds.set(key ?? '', [...(rounds.get(key ?? '') ?? []), round]);
    }
    for (const [session, seq] of batch.confirmations) {
      assert.equal(seq, rounds.get(String(session.frame.key))?.at(-1), 'confirms its own last record');
      stored.set(session, seq);
    }
  }
  for (const seen of rounds.values()) assert.deepEqual(seen, [...Array(30).keys()]);
  for (const session of sessions) assert.equal(stored.get(session), 29);
  assert.equal(batcher.accepted, 40 * 30);
});

test('once the partitions are known each connection goes to the partition of its key', async (t) => {
  const { batcher, delivered } = setUp(t, { partitions: 0 });
  const sessions = Array.from({ length: 20 }, (_, i) => fakeSession(`zip-${i}`));
  for (const session of sessions) batcher.append(session, reading('{"n":0}'));
  batcher.setPartitions(3);
  const [early] = delivered.splice(0);
  assert.equal(early?.count, 20);
  for (const session of sessions) batcher.append(session, reading('{"n":1}'));
  batcher.flush();
  assert.equal(new Set(delivered.map(({ partition }) => partition)).size, 3);
  for (const batch of delivered) {
    for (const { key } of await recordsOf(batch))
      assert.equal(batch.partition, partitionOf(Buffer.from(key ?? ''), 3));
  }
});

test('if a topic shrinks, connections of lost partitions move by their keys, after their open batches were delivered', async (t) => {
  const { batcher, delivered, busy } = setUp(t);
  const sessions = Array.from({ length: 40 }, (_, i) => fakeSession(`zip-${i}`));
  const append = (round: number) => {
    for (const session of sessions) batcher.append(session, reading(`{"n":${round}}`));
  };
  append(0);
  const before = sessions.map(({ partition }) => partition);
  for (const partition of before) busy.add(partition);
  batcher.setPartitions(4);
  // Everything gathered is delivered to the old partitions in the turn in which the number changes.
  assert.equal(batcher.openRecords, 0);
  const early = delivered.splice(0);
  assert.deepEqual(early.map(({ partition }) => partition).sort(), [...new Set(before)].sort());
  append(1);
  batcher.flush();
  for (const [index, { partition, frame }] of sessions.entries()) {
    const former = before[index] ?? 9;
    assert.equal(partition, former < 4 ? former : partitionOf(frame.key, 4));
  }
  assert.ok(sessions.some(({ partition, frame }) => partition !== partitionOf(frame.key, 4)));
  assert.equal(sum(counts(delivered)), 40);
});

test('a record without a connection goes to a partition that exists, even if its own is gone', (t) => {
  const { batcher, delivered } = setUp(t, { partitions: 0 });
  const append = (partition: number) => batcher.appendRaw(partition, 0, encodeBody(Buffer.from('{}'), {}));
  append(7);
  batcher.setPartitions(10);
  append(7);
  batcher.setPartitions(3);
  append(7);
  append(2);
  batcher.flush();
  assert.deepEqual(partitions(delivered), [UNPLACED, 7, 1, 2]);
});

test('the same number of partitions, or a larger one, closes no batch', (t) => {
  const { batcher, delivered } = setUp(t);
  batcher.append(fakeSession(), reading('{"n":1}'));
  batcher.setPartitions(10);
  batcher.setPartitions(12);
  assert.deepEqual([delivered.length, batcher.openRecords], [0, 1]);
});

test('if a topic grows, connections keep their partitions, and new ones are placed by the new number', (t) => {
  const { batcher } = setUp(t, { partitions: 4 });
  const moves = (key: Buffer) => partitionOf(key, 4) !== partitionOf(key, 9);
  const zipcode = ['a', 'b', 'c', 'd', 'e'].find((zip) => moves(Buffer.from(zip)));
  const [early, late] = [fakeSession(zipcode), fakeSession(zipcode)];
  batcher.append(early, reading('{"n":1}'));
  batcher.setPartitions(9);
  batcher.append(early, reading('{"n":2}'));
  batcher.append(late, reading('{"n":2}'));
  assert.equal(early.partition, partitionOf(early.frame.key, 4));
  assert.equal(late.partition, partitionOf(late.frame.key, 9));
});

test('batches stay below max.message.bytes once it is known', (t) => {
  const { batcher, delivered } = setUp(t, { partitions: 0 });
  const session = fakeSession();
  const append = () => {
    for (let i = 0; i < 40; i++) batcher.append(session, reading(`{"n":${i},"text":"${'x'.repeat(200)}"}`));
    batcher.flush();
  };
  append();
  assert.equal(delivered.splice(0).length, 1);
  batcher.maxMessageBytes = 3000;
  batcher.setPartitions(10);
  append();
  assert.equal(sum(counts(delivered)), 40);
  for (const { writer } of delivered) assert.ok(writer.bytes <= 3000, `${writer.bytes} bytes`);
  batcher.maxMessageBytes = 600;
  assert.equal(batcher.maxReadingBytes, 0, 'devices hear it');
});

test('during a read window no batch is closed by time; at its end those due before the next window are', async (t) => {
  const { batcher, delivered, busy } = setUp(t, { lingerMs: 20 });
  const [early, late, slow] = [fakeSession('10001'), fakeSession('10002'), fakeSession('10003')];
  for (const session of [early, slow]) batcher.append(session, reading('{"n":1}'));
  busy.add(slow.partition);
  batcher.beginReadWindow();
  await sleep(40);
  batcher.partitionIdle(early.partition);
  assert.equal(delivered.length, 0);

  batcher.append(late, reading('{"n":2}'));
  assert.equal(new Set([early, late, slow].map(({ partition }) => partition)).size, 3);
  assert.equal(batcher.endReadWindow(0), true);
  // The younger batch shares the request. That of the busy partition is delivered once the partition is idle.
  const inOrder = [early.partition, late.partition].sort((a, b) => a - b);
  assert.deepEqual(partitions(delivered), inOrder);
  busy.clear();
  batcher.partitionIdle(slow.partition);
  assert.equal(delivered.length, 3);

  batcher.append(early, reading('{"n":3}'));
  batcher.beginReadWindow();
  batcher.endReadWindow(20);
  assert.equal(delivered.length, 4);
});

test('the end of a read window tells once that a full batch has to wait for an earlier one', (t) => {
  const { batcher, busy } = setUp(t, { maxRecords: 2 });
  const session = fakeSession();
  const fill = () => {
    for (let i = 0; i < 2; i++) batcher.append(session, reading('{"n":1}'));
  };
  batcher.beginReadWindow();
  fill();
  assert.equal(batcher.endReadWindow(0), true);
  busy.add(session.partition);
  batcher.beginReadWindow();
  fill();
  assert.equal(batcher.endReadWindow(0), false);
  batcher.beginReadWindow();
  assert.equal(batcher.endReadWindow(0), true);
});
