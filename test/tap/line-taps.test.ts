// Taps inside a process, with the worker and the batcher of the gateway.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { LineEvent, TapFilter, TapQuestion } from '../../src/inspect/line-questions.ts';
import type { Batch } from '../../src/kafka/batches/batch.ts';
import { Batcher } from '../../src/kafka/batches/batcher.ts';
import { BufferBudget } from '../../src/kafka/batches/buffer-budget.ts';
import type { LineBytes, Refusal } from '../../src/queue/job.ts';
import { TurnBudget } from '../../src/queue/turn-budget.ts';
import { LineTaps } from '../../src/tap/line-taps.ts';
import { Tap } from '../../src/tap/tap.ts';
import { Worker } from '../../src/workers/worker.ts';
import { CONNECTION_ID, NotingSession, RECEIVED_AT_MS } from '../support/session.ts';
import { waitFor } from '../support/wait.ts';

const METRICS = '{"type":"metrics","data":{"a": 1}}';
const SECRET = 'S3cret-of-a-device';

let taps: LineTaps;
let worker: Worker;
let batcher: Batcher;
let batches: Batch[];

/** Tells the taps, as the gateway does. */
class Tapped extends NotingSession {
  override refuse(refusal: Refusal, line?: LineBytes): void {
    super.refuse(refusal);
    if (line !== undefined) taps.refused(this, refusal, line);
  }
}

beforeEach(() => {
  taps = new LineTaps();
  batches = [];
  const limits = { maxRecords: 100, maxBytes: 1e6, lingerMs: 1e6, maxMessageBytes: 1e6 };
  batcher = new Batcher(limits, {
    budget: new BufferBudget(1e9, 1e6),
    sink: {
      isBusy: () => false,
      growth: () => 1,
      compressionRatio: 1,
      deliver: (batch) => void batches.push(batch),
    },
  });
  batcher.setPartitions(1);
  worker = new Worker(batcher, new TurnBudget(), taps.watch);
});

afterEach(() => {
  taps.stop();
  batcher.stop();
});

function question(filter: Partial<TapFilter> = {}, more: Partial<TapQuestion> = {}): TapQuestion {
  return { id: 'a', filter: { refused: false, ...filter }, linesPerSecond: 10, ends: false, ...more };
}

function ask(filter: Partial<TapFilter> = {}, more: Partial<TapQuestion> = {}) {
  const answer = taps.answer(question(filter, more));
  assert.ok(answer !== null);
  return answer;
}

const lines = (filter: Partial<TapFilter> = {}) =>
  ask(filter).events.filter((event): event is LineEvent => event.event === 'line');

test('workers are watched only while there is a tap', () => {
  assert.equal(taps.watch.observer, undefined);
  ask();
  assert.ok(taps.watch.observer !== undefined);
  ask({}, { ends: true });
  assert.equal(taps.watch.observer, undefined);
});

test('each line comes with who sent it, and its fate', () => {
  const session = new Tapped({ deviceId: 'roof-7' });
  assert.deepEqual(ask(), { isNew: true, events: [], passedOver: 0 });
  for (const line of [METRICS, '{"type":"keepalive"}', '{"type":"met']) worker.handle(session.job(line));
  const [accepted, answered, refused] = lines();
  assert.deepEqual(accepted, {
    event: 'line',
    id: 0,
    at: new Date(RECEIVED_AT_MS).toISOString(),
    connection_id: CONNECTION_ID,
    device_id: 'roof-7',
    address: '192.0.2.7',
    zipcode: '90210',
    bytes: METRICS.length,
    line: METRICS,
    fate: 'accepted',
  });
  assert.equal(answered?.fate, 'answered');
  assert.deepEqual(
    [refused?.fate, refused?.code, refused?.line],
    ['refused', 'invalid_json', '{"type":"met'],
  );
});

test('lines before identify come too, and the token of an identify is hidden', () => {
  const session = Tapped.unidentified();
  ask();
  worker.handle(session.job(METRICS));
  worker.handle(session.job(`{"type":"identify","zipcode":"1","city":"c","token":"${SECRET}"}`));
  const [, identify] = lines();
  assert.match(identify?.line ?? '', /identify.*\[token hidden\]/);
  assert.doesNotMatch(identify?.line ?? '', /S3cret/);
});

test('a refused line before identify has no zipcode', () => {
  const session = new (class extends Tapped {
    override frame = undefined;
  })();
  ask();
  worker.handle(session.job(METRICS));
  const [line] = lines();
  assert.deepEqual([line?.code, line?.zipcode], ['not_identified', null]);
});

test('the fate of an accepted line follows its batch: stored by Kafka, or on disk', async () => {
  const session = new Tapped();
  ask();
  worker.handle(session.job(METRICS));
  batcher.flush();
  worker.handle(session.job(METRICS));
  batcher.flush();
  const [first, second] = batches;
  assert.equal(lines().length, 2);
  first?.settle();
  second?.leaveMemory();
  second?.settle();
  await undefined;
  const fates = ask().events.map((event) => [event.event, event.id, event.fate]);
  assert.deepEqual(fates, [
    ['fate', 0, 'stored'],
    ['fate', 1, 'spooled'],
  ]);
});

test('a batch whose records went to other batches has the fate of these', async () => {
  const session = new Tapped();
  ask();
  worker.handle(session.job(METRICS));
  batcher.flush();
  worker.handle(session.job('{"type":"keepalive"}'));
  batcher.append(session as never, {
    bytes: Buffer.from(',"data":{}}'),
    start: 0,
    end: 11,
    whitespace: 0,
    receivedAtMs: 1,
    seq: -1,
    confirms: true,
  });
  batcher.flush();
  const [batch, part] = batches;
  assert.ok(batch && part);
  const followed = batch.follow([part]);
  part.leaveMemory();
  part.settle();
  await followed;
  await undefined;
  assert.ok(ask().events.some((event) => event.event === 'fate' && event.fate === 'spooled'));
});

test('a record that Kafka refuses later is recognised by its line, and only by that', async () => {
  const session = new Tapped();
  ask();
  worker.handle(session.job(METRICS));
  worker.handle(session.job(METRICS.replace('1', '2')));
  lines();
  const facts = {
    code: 'record_too_large',
    message: 'Kafka refused the record: MESSAGE_TOO_LARGE',
    reason: 'MESSAGE_TOO_LARGE',
    connectionId: CONNECTION_ID,
    zipcode: '90210',
    deviceId: undefined,
    remoteAddress: '',
    receivedAtMs: RECEIVED_AT_MS,
  };
  const value = (a: number) => Buffer.from(`{"connection_id":"${CONNECTION_ID}","data":{"a":${a}}}`);
  taps.recordRefused({ ...facts, value: value(2) });
  taps.recordRefused({ ...facts, value: value(3) });
  taps.recordRefused({ ...facts, value: value(1), receivedAtMs: RECEIVED_AT_MS + 1 });
  const events = ask().events;
  assert.deepEqual(
    events.map(({ event, fate, reason }) => [event, fate, reason]),
    [
      ['line', 'refused', 'MESSAGE_TOO_LARGE'],
      ['line', 'refused', 'MESSAGE_TOO_LARGE'],
      ['fate', 'refused', 'MESSAGE_TOO_LARGE'],
    ],
  );
  assert.equal(events[2]?.id, 1);
});

test('filters take only what matches all of them', () => {
  const roof = new Tapped({ deviceId: 'roof-7', zipcode: '1' });
  const cellar = new Tapped({ deviceId: 'cellar', zipcode: '2' });
  const shown = (filter: Partial<TapFilter>) => {
    ask({}, { ends: true });
    ask(filter);
    for (const session of [roof, cellar])
      for (const line of [METRICS, 'broken']) worker.handle(session.job(line));
    return lines().map(({ device_id, fate }) => `${device_id} ${fate}`);
  };
  assert.equal(shown({}).length, 4);
  assert.deepEqual(shown({ deviceId: 'cellar' }), ['cellar accepted', 'cellar refused']);
  assert.deepEqual(shown({ zipcode: '1', refused: true }), ['roof-7 refused']);
  assert.deepEqual(shown({ deviceId: 'roof-7', zipcode: '2' }), []);
  assert.equal(shown({ address: '192.0.2.7' }).length, 4);
  assert.deepEqual(shown({ address: '192.0.2.70' }), []);
  // As a port has it that is open for IPv6 too.
  Object.assign(roof, { remoteAddress: '::ffff:192.0.2.8' });
  assert.equal(shown({ address: '192.0.2.8' }).length, 2);
  assert.deepEqual(shown({ deviceId: 'ROOF-7' }), []);
});

test('past its rate a tap counts lines and does not look at them', () => {
  const tap = new Tap({ refused: false }, 10);
  const session = new Tapped();
  const shown = () => {
    for (let i = 0; i < 1000; i++) tap.accepted(session, session.job(METRICS), RECEIVED_AT_MS, undefined);
    const { events, passedOver } = tap.take();
    assert.equal(events.length + passedOver, 1000);
    return events.length;
  };
  assert.equal(shown(), 10);
  assert.equal(shown(), 0);
  tap.refill(0.1);
  assert.equal(shown(), 1);
  // After quiet it is one second's lines, however long that was.
  tap.refill(5);
  assert.equal(shown(), 10);
});

test('an answer is small, and a fate never comes before its line', async () => {
  const session = new Tapped();
  ask({}, { linesPerSecond: 100 });
  for (let i = 0; i < 100; i++)
    worker.handle(session.job(`{"type":"metrics","data":{"a":"${'😀\\"'.repeat(200)}"}}`));
  batcher.flush();
  for (const batch of batches) batch.settle();
  await undefined;
  const seen = new Set<number>();
  let fates = 0;
  for (let i = 0; i < 10; i++) {
    const answer = ask();
    assert.ok(JSON.stringify(answer).length < 64 * 1024);
    for (const event of answer.events) {
      if (event.event === 'line') seen.add(event.id);
      else {
        fates++;
        assert.ok(seen.has(event.id));
      }
    }
  }
  assert.deepEqual([seen.size, fates], [100, 100]);
});

test('of lines that nobody fetches 200 are kept, and the others counted', () => {
  const tap = new Tap({ refused: false }, 100);
  const session = new Tapped();
  for (let second = 0; second < 5; second++) {
    for (let i = 0; i < 500; i++) tap.accepted(session, session.job(METRICS), RECEIVED_AT_MS, undefined);
    tap.refill(1);
  }
  let shown = 0;
  let passed = 0;
  for (let i = 0; i < 20; i++) {
    const { events, passedOver } = tap.take();
    shown += events.length;
    passed += passedOver;
  }
  assert.deepEqual([shown, passed], [200, 2300]);
});

test('taps are refilled while they are open', async () => {
  const session = new Tapped();
  ask();
  for (let i = 0; i < 20; i++) worker.handle(session.job(METRICS));
  assert.equal(ask().passedOver, 10);
  await waitFor('another line', () => {
    worker.handle(session.job(METRICS));
    return ask().events.length > 0;
  });
});

test('there are never more than eight taps', () => {
  for (let i = 0; i < 8; i++) assert.ok(taps.answer(question({}, { id: `${i}` })) !== null);
  assert.equal(taps.answer(question({}, { id: 'more' })), null);
  taps.answer(question({}, { id: '3', ends: true }));
  assert.ok(taps.answer(question({}, { id: 'more' })) !== null);
});
