// When the batcher closes batches because of their time: the short wait, the limit, and the ends of read windows. The
// clock is the test's own.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Batch } from '../../../src/kafka/batches/batch.ts';
import { Batcher } from '../../../src/kafka/batches/batcher.ts';
import { BufferBudget } from '../../../src/kafka/batches/buffer-budget.ts';
import { fakeSession, reading } from '../delivery/fakes.ts';

const PARTITIONS = 12;
/** Before a pause of 9 ms the end of a window looks twice as far ahead. */
const NEXT_WINDOW_MS = 18;

function setUp(t: TestContext, lingerMs: number) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.mock.method(performance, 'now', () => Date.now());
  /** The times at which batches were closed. */
  const requests = new Map<number, Batch[]>();
  const busy = { all: false };
  const batcher = new Batcher(
    { maxRecords: 1000, maxBytes: 64 * 1024, lingerMs, maxMessageBytes: 2 ** 20 },
    {
      budget: new BufferBudget(2 ** 24, 0),
      sink: {
        isBusy: () => busy.all,
        growth: () => 1,
        compressionRatio: 1,
        deliver: (batch) => requests.set(Date.now(), [...(requests.get(Date.now()) ?? []), batch]),
      },
    },
  );
  batcher.setPartitions(PARTITIONS);
  t.after(() => batcher.stop());
  let sent = 0;
  /** Records of devices of many partitions. */
  const append = (records: number, seq = -1) => {
    for (let i = 0; i < records; i++, sent++)
      batcher.append(fakeSession(`zip-${sent % 50}`), reading('{"n":1}', { seq, receivedAtMs: Date.now() }));
  };
  /** Passes milliseconds, with so many records at each. */
  const pass = (ms: number, recordsEach = 0, seq = -1) => {
    for (let i = 0; i < ms; i++) {
      t.mock.timers.tick(1);
      append(recordsEach, seq);
    }
  };
  return { batcher, requests, busy, append, pass };
}

const times = (requests: ReadonlyMap<number, unknown>) => [...requests.keys()];

test('a lone record leaves after 10 ms, however long KAFKA_BATCH_TIMEOUT allows more records to take', (t) => {
  const { requests, append, pass } = setUp(t, 20);
  append(1);
  pass(30);
  assert.deepEqual(times(requests), [10]);
});

test('while a few records come, batches wait for the limit and all partitions leave together', (t) => {
  const { batcher, requests, append, pass } = setUp(t, 20);
  append(1);
  pass(20, 1);
  assert.deepEqual(times(requests), [20]);
  assert.ok((requests.get(20)?.length ?? 0) > 6, 'many partitions');
  assert.equal(batcher.openRecords, 1);
});

test('batches with 40 records leave after 10 ms', (t) => {
  const { requests, append, pass } = setUp(t, 20);
  append(4);
  pass(15, 4);
  assert.deepEqual(times(requests), [10]);
});

test('if a device waits for stored, batches leave after 10 ms, and the next ones wait again', (t) => {
  const { requests, append, pass } = setUp(t, 20);
  append(1, 7);
  pass(10, 1);
  assert.deepEqual(times(requests), [10]);
  pass(25, 1);
  assert.deepEqual(times(requests), [10, 30]);
});

for (const lingerMs of [1, 5, 10]) {
  test(`with KAFKA_BATCH_TIMEOUT=${lingerMs}ms no batch waits longer, whatever comes`, (t) => {
    const { requests, append, pass } = setUp(t, lingerMs);
    append(1);
    pass(lingerMs, 1);
    assert.deepEqual(times(requests), [lingerMs]);
  });
}

test('the end of a read window closes all batches if one would be due before the next, and none if more are worth waiting for', (t) => {
  const { batcher, requests, append, pass } = setUp(t, 20);
  const window = (records: number, seq = -1) => {
    batcher.beginReadWindow();
    append(records, seq);
    batcher.endReadWindow(NEXT_WINDOW_MS);
  };
  window(20);
  pass(9);
  window(19);
  assert.deepEqual(times(requests), [9]);
  assert.equal(batcher.openRecords, 0);
  pass(9);
  window(39);
  assert.equal(batcher.openRecords, 39);
  pass(1);
  window(1);
  assert.deepEqual(times(requests), [9, 19]);
  pass(1);
  window(1, 7);
  assert.deepEqual(times(requests), [9, 19, 20]);
});

test('if batches leave with their read window, a few records do not wait for the next one', (t) => {
  const { batcher, requests, append } = setUp(t, 20);
  batcher.beginReadWindow();
  append(1);
  batcher.endReadWindow(Number.POSITIVE_INFINITY);
  assert.deepEqual(times(requests), [0]);
});

test('it tells once that the answer is wanted: devices wait for stored of closed batches', (t) => {
  const { batcher, append } = setUp(t, 20);
  append(3);
  batcher.flush();
  assert.equal(batcher.takeWantsAnswer(), false);
  append(3, 7);
  assert.equal(batcher.takeWantsAnswer(), false);
  batcher.flush();
  assert.equal(batcher.takeWantsAnswer(), true);
  assert.equal(batcher.takeWantsAnswer(), false);
  append(3);
  batcher.flush();
  assert.equal(batcher.takeWantsAnswer(), false);
});

test('it tells once that few records are due while their partition is busy', (t) => {
  const { batcher, requests, busy, append, pass } = setUp(t, 20);
  busy.all = true;
  append(1);
  batcher.endReadWindow(9);
  assert.equal(batcher.takeWantsAnswer(), false);
  pass(20, 1);
  batcher.endReadWindow(9);
  assert.deepEqual(times(requests), []);
  assert.equal(batcher.takeWantsAnswer(), true);
  assert.equal(batcher.takeWantsAnswer(), false);
  append(30);
  batcher.endReadWindow(9);
  assert.equal(batcher.takeWantsAnswer(), false);
});
