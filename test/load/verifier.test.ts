// The verifier on topics with planted faults: it must find each of them and nothing else.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Shape } from '../../load/plan.ts';
import { Bitmap } from '../../load/verification/bitmap.ts';
import { type DeviceAccount, DeviceLedger } from '../../load/verification/ledger.ts';
import { TopicVerifier, type Verdict } from '../../load/verification/verifier.ts';
import { FAULTLESS, lineOf, lineWriter, RUN, recordsOf } from './records.ts';

const DEVICE = 17;
const COUNT = 100;

/** The records of messages 0 to 99 of one device, on one connection. */
function sentRecords(shape: Shape = { kind: 'flat' }): Buffer[] {
  const readings = shape.kind === 'batch' ? shape.readings : 1;
  const writer = lineWriter({ shape, sizeBytes: 170 * readings }, DEVICE);
  return Array.from({ length: COUNT }, (_, number) => recordsOf(lineOf(writer, number)).values).flat();
}

const account = (more: Partial<DeviceAccount> = {}): DeviceAccount => ({
  device: DEVICE,
  sent: COUNT,
  refused: new Uint8Array(0),
  refusedUnknown: 0,
  unanswered: [],
  ...more,
});

function judged(values: readonly Buffer[], of: DeviceAccount = account(), readings = 1): Verdict {
  const verifier = new TopicVerifier({ run: RUN, devices: 100, readings });
  for (const value of values) verifier.add(value);
  return verifier.verdict([of]);
}

function assertVerdict(verdict: Verdict, expected: Partial<Verdict>): void {
  const { examples: _, ...counts } = verdict;
  assert.deepEqual(counts, { ...FAULTLESS, ...expected });
}

describe('the verifier', () => {
  it('finds no fault in a topic that holds everything once and in order', () => {
    assertVerdict(judged(sentRecords()), { delivered: COUNT });
  });

  it('finds a lost record at any place', () => {
    for (const at of [0, 41, COUNT - 1]) {
      const verdict = judged(sentRecords().toSpliced(at, 1));
      assertVerdict(verdict, { delivered: COUNT - 1, lost: 1 });
      assert.deepEqual(verdict.examples, { lost: [`device ${DEVICE}, n ${at}`] });
    }
  });

  it('finds that every record of a device is lost', () => {
    assertVerdict(judged([]), { delivered: 0, lost: COUNT });
  });

  it('finds a copy beside its original and at the end', () => {
    for (const at of [42, COUNT]) {
      const records = sentRecords();
      const verdict = judged(records.toSpliced(at, 0, records[41] as Buffer));
      assertVerdict(verdict, { delivered: COUNT, duplicated: 1 });
      assert.deepEqual(verdict.examples, { duplicated: [`device ${DEVICE}, n 41`] });
    }
  });

  it('finds two records in the wrong order', () => {
    const records = sentRecords();
    [records[40], records[41]] = [records[41] as Buffer, records[40] as Buffer];
    const verdict = judged(records);
    assertVerdict(verdict, { delivered: COUNT, reordered: 1 });
    assert.deepEqual(verdict.examples, { reordered: [`device ${DEVICE}, n 40 after 41`] });
  });

  it('finds every changed byte of a reading, and counts the original as lost', () => {
    const records = sentRecords();
    const original = records[41] as Buffer;
    const from = original.indexOf(`.${DEVICE}`) + 1;
    for (let at = from; at < original.length - 1; at++) {
      const changed = Buffer.from(original);
      changed[at] = (changed[at] as number) ^ 1;
      assertVerdict(judged(records.with(41, changed)), { delivered: COUNT - 1, corrupted: 1, lost: 1 });
    }
  });

  it('finds a shortened record', () => {
    const records = sentRecords();
    const verdict = judged(records.with(41, (records[41] as Buffer).subarray(0, -20)));
    assertVerdict(verdict, { delivered: COUNT - 1, corrupted: 1, lost: 1 });
  });

  it('finds four kinds of faults at once, with examples of each', () => {
    const records = sentRecords();
    const changed = Buffer.from(records[50] as Buffer);
    changed[changed.length - 40] = (changed[changed.length - 40] as number) ^ 1;
    records[50] = changed;
    records.splice(70, 0, records[69] as Buffer);
    [records[10], records[11]] = [records[11] as Buffer, records[10] as Buffer];
    records.splice(30, 2);
    const verdict = judged(records);
    assertVerdict(verdict, { delivered: 97, lost: 3, duplicated: 1, reordered: 1, corrupted: 1 });
    assert.deepEqual(Object.keys(verdict.examples).sort(), ['corrupted', 'duplicated', 'lost', 'reordered']);
  });

  it('finds readings that were never sent', () => {
    const verdict = judged(sentRecords(), account({ sent: COUNT - 3 }));
    assertVerdict(verdict, { delivered: COUNT, invented: 3 });
  });

  it('does not miss a refused reading, and finds one that is in the topic', () => {
    const refused = new Bitmap();
    refused.add(41);
    const of = account({ refused: refused.bytes });
    assertVerdict(judged(sentRecords().toSpliced(41, 1), of), { delivered: COUNT - 1 });
    assertVerdict(judged(sentRecords(), of), { delivered: COUNT, invented: 1 });
  });

  it('forgives as many missing readings as were refused without a seq', () => {
    const of = account({ refusedUnknown: 2 });
    assertVerdict(judged(sentRecords().toSpliced(41, 2), of), { delivered: COUNT - 2 });
    assertVerdict(judged(sentRecords().toSpliced(41, 3), of), { delivered: COUNT - 3, lost: 1 });
  });

  it('does not count a reading as lost if its connection broke before the reply', () => {
    const of = account({ unanswered: [{ from: 90, end: 100 }] });
    assertVerdict(judged(sentRecords().slice(0, 94), of), { delivered: 94, unansweredMissing: 6 });
    assertVerdict(judged(sentRecords().slice(0, 89), of), { delivered: 89, unansweredMissing: 10, lost: 1 });
  });

  it('expects no order between two connections of a device, and expects it within each', () => {
    const writer = lineWriter({}, DEVICE);
    const recordOf = (number: number) => recordsOf(lineOf(writer, number)).values[0] as Buffer;
    const first = [0, 1, 2].map(recordOf);
    writer.connected(2);
    const second = [3, 4, 5].map(recordOf);
    const [a, b, c] = first as [Buffer, Buffer, Buffer];
    const [d, e, f] = second as [Buffer, Buffer, Buffer];
    assertVerdict(judged([a, d, b, e, c, f], account({ sent: 6 })), { delivered: 6 });
    assertVerdict(judged([a, b, c, e, d, f], account({ sent: 6 })), { delivered: 6, reordered: 1 });
  });

  it('counts the readings of a batch one by one', () => {
    const records = sentRecords({ kind: 'batch', readings: 3 });
    assert.equal(records.length, 300);
    assertVerdict(judged(records.toSpliced(150, 2), account(), 3), { delivered: 298, lost: 2 });
  });

  it('counts records of other senders as foreign only', () => {
    const others = ['{}', 'x', '', '{"data":{"device":"rother.1","n":1}}'].map((text) => Buffer.from(text));
    assertVerdict(judged([...others, ...sentRecords()]), { delivered: COUNT, foreign: 4 });
  });

  it('gives a verdict at any time, and a new one after more records', () => {
    const verifier = new TopicVerifier({ run: RUN, devices: 100, readings: 1 });
    const records = sentRecords();
    for (const value of records.slice(0, 60)) verifier.add(value);
    assert.equal(verifier.verdict([account()]).lost, 40);
    for (const value of records.slice(60)) verifier.add(value);
    const verdict = verifier.verdict([account()]);
    assertVerdict(verdict, { delivered: COUNT });
    assert.deepEqual(verdict.examples, {});
  });
});

describe('a ledger', () => {
  it('keeps the sent, the refused and the unanswered messages', () => {
    const ledger = new DeviceLedger();
    ledger.next = 10;
    assert.equal(ledger.refuse(3), true);
    assert.equal(ledger.refuse(3), false);
    assert.equal(ledger.refuse(8), true);
    assert.equal(ledger.leaveUnanswered(7), 2);
    assert.equal(ledger.leaveUnanswered(10), 0);
    const { refused, ...rest } = ledger.account(4);
    assert.deepEqual([...new Bitmap(refused).present(0)], [3, 8]);
    assert.deepEqual(rest, { device: 4, sent: 10, refusedUnknown: 0, unanswered: [{ from: 7, end: 10 }] });
  });

  it('takes a few megabytes for ten million messages', () => {
    const numbers = new Bitmap();
    for (let n = 0; n < 10_000_000; n++) if (n !== 7_654_321) numbers.add(n);
    assert.deepEqual([...numbers.missing(10_000_000)], [7_654_321]);
    assert.ok(numbers.bytes.length <= 4 * 2 ** 20);
  });
});
