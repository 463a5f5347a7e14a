import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { createCodec } from '../../src/kafka/batches/compression.ts';
import { RecordBatchWriter } from '../../src/kafka/batches/record-batch.ts';
import { unpack } from '../../src/kafka/batches/split-batch.ts';
import type { IdentifiedSession } from '../../src/queue/job.ts';
import { laneOf, QUANTUM_NS, quickLineNs } from '../../src/queue/lanes.ts';
import { TurnBudget } from '../../src/queue/turn-budget.ts';
import type { BatchTicket, Reading, RecordSink } from '../../src/workers/record-sink.ts';
import { Worker } from '../../src/workers/worker.ts';
import { CONNECTION_ID, NotingSession, RECEIVED_AT_MS } from '../support/session.ts';

interface Appended {
  readonly key: string;
  readonly value: string;
  readonly timestamp: number;
  readonly seq: number;
  readonly confirms: boolean;
}

const TICKET: BatchTicket = { settled: () => Promise.resolve() };

/** Puts records into a real batch and reads them back from its bytes. */
class BatchSink implements RecordSink {
  maxReadingBytes = 1_000_000;
  readonly #writer = new RecordBatchWriter(64);
  readonly #notes: { seq: number; confirms: boolean }[] = [];

  hasRoom(): boolean {
    return true;
  }

  room(): Promise<boolean> {
    return Promise.resolve(true);
  }

  append(session: IdentifiedSession, reading: Reading): BatchTicket {
    this.#writer.append(session.frame, reading);
    this.#notes.push({ seq: reading.seq, confirms: reading.confirms });
    return TICKET;
  }

  /** May be called once. */
  async records(): Promise<Appended[]> {
    if (this.#notes.length === 0) return [];
    const { bytes: batch } = await this.#writer.seal(createCodec('none'));
    return (await unpack(batch)).map(({ timestampMs: timestamp, body }, index) => {
      const bytes = Buffer.from(body);
      const [keyLength, keyAt] = varint(bytes, 0);
      const [valueLength, valueAt] = varint(bytes, keyAt + keyLength);
      assert.equal(valueAt + valueLength + 1, bytes.length, 'no headers follow the value');
      const note = this.#notes[index];
      assert.ok(note);
      return {
        key: bytes.toString('utf8', keyAt, keyAt + keyLength),
        value: bytes.toString('utf8', valueAt, valueAt + valueLength),
        timestamp,
        ...note,
      };
    });
  }
}

function varint(bytes: Buffer, from: number): [value: number, next: number] {
  let value = 0;
  let at = from;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? 0;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [(value >>> 1) ^ -(value & 1), at];
  }
}

const FAST = '{"type":"metrics","data":{"t":1.50, "s":"x"}}';
const SLOW = '{"data":{"t":1.50, "s":"x"},"type":"metrics"}';

let sink: BatchSink;
let worker: Worker;
let session: NotingSession;
beforeEach(() => {
  sink = new BatchSink();
  worker = new Worker(sink, new TurnBudget());
  session = new NotingSession();
});

const head = `{"connection_id":"${CONNECTION_ID}","zipcode":"90210","city":"Beverly Hills","received_at":"2026-11-21T08:00:00.123Z"`;
const one = async () => {
  const [record, ...more] = await sink.records();
  assert.ok(record && more.length === 0);
  return record;
};

for (const [way, line] of [
  ['short cut', FAST],
  ['complete decoder', SLOW],
] as const) {
  const withSeq = line.replace('"type":"metrics"', '"type":"metrics","seq":9007199254740');

  it(`writes the record of the contract (${way})`, async () => {
    assert.equal(worker.handle(session.job(line)), TICKET);
    assert.deepEqual(await one(), {
      key: '90210',
      value: `${head},"data":{"t":1.50,"s":"x"}}`,
      timestamp: RECEIVED_AT_MS,
      seq: -1,
      confirms: true,
    });
    assert.deepEqual([session.accepted, session.finished, session.expected], [1, 1, -1]);
  });

  it(`writes device_id and seq before data (${way})`, async () => {
    session = new NotingSession({ deviceId: 'dev.1' });
    worker.handle(session.job(withSeq));
    assert.equal(
      (await one()).value,
      `${head},"device_id":"dev.1","seq":9007199254740,"data":{"t":1.50,"s":"x"}}`,
    );
    assert.deepEqual([session.expected, session.lastSeq], [9_007_199_254_740, 9_007_199_254_740]);
  });

  it(`writes device_id without seq, and seq without device_id (${way})`, async () => {
    worker.handle(session.job(withSeq));
    worker.handle(new NotingSession({ deviceId: 'd' }).job(line));
    const [first, second] = await sink.records();
    assert.equal(first?.value, `${head},"seq":9007199254740,"data":{"t":1.50,"s":"x"}}`);
    assert.equal(second?.value, `${head},"device_id":"d","data":{"t":1.50,"s":"x"}}`);
  });
}

it('writes the largest seq in full', async () => {
  worker.handle(session.job('{"type":"metrics","seq":9007199254740991,"data":{"a":1}}'));
  assert.match((await one()).value, /,"seq":9007199254740991,"data":\{"a":1\}\}$/);
});

it('escapes a city so that it stays one string of the record', async () => {
  const city = 'Quote " Backslash \\ ","data":{"x":1},"y":"東京🌧\u2028';
  session = new NotingSession({ city });
  worker.handle(session.job(FAST));
  const value = JSON.parse((await one()).value) as Record<string, unknown>;
  assert.deepEqual(Object.keys(value), ['connection_id', 'zipcode', 'city', 'received_at', 'data']);
  assert.equal(value.city, city);
});

it('puts no field of a line beside data into the record', async () => {
  const smuggled = '"zipcode":"1","connection_id":"x","received_at":"1970","device_id":"y"';
  worker.handle(session.job(`{"type":"metrics",${smuggled},"data":{${smuggled}}}`));
  assert.equal((await one()).value, `${head},"data":{${smuggled}}}`);
});

it('turns a batch into records in order, and the last one confirms the message', async () => {
  worker.handle(session.job('{"type":"metrics","seq":5,"data":[{"a":1},"a=2",{"a": 3}]}'));
  assert.deepEqual(
    (await sink.records()).map(({ value, seq, confirms }) => [value.slice(head.length), seq, confirms]),
    [
      [',"seq":5,"data":{"a":1}}', 5, false],
      [',"seq":5,"data":{"a":2}}', 5, false],
      [',"seq":5,"data":{"a":3}}', 5, true],
    ],
  );
  assert.deepEqual([session.accepted, session.expected], [1, 5]);
});

it('takes no reading of a batch if one is wrong', async () => {
  worker.handle(session.job('{"type":"metrics","seq":5,"data":[{"a":1},{"a":{"":1}},{"a":3}]}'));
  assert.deepEqual(await sink.records(), []);
  assert.deepEqual(
    session.refused.map(({ code, seq }) => [code, seq]),
    [['invalid_message', 5]],
  );
  assert.deepEqual([session.accepted, session.finished, session.lastSeq], [0, 1, -1]);
});

it('refuses a seq that does not rise above the last accepted one', async () => {
  const send = (seq: number, data = '{"a":1}') =>
    worker.handle(session.job(`{"type":"metrics","seq":${seq},"data":${data}}`));
  send(0);
  send(0);
  send(5);
  send(4, '[{"a":1}]');
  send(9, '[]');
  send(6);
  assert.deepEqual(
    (await sink.records()).map(({ seq }) => seq),
    [0, 5, 6],
  );
  assert.deepEqual(
    session.refused.map(({ code, seq }) => [code, seq]),
    [
      ['invalid_message', 0],
      ['invalid_message', 4],
      ['invalid_message', 9],
    ],
  );
  assert.match(session.refused[0]?.message ?? '', /'seq'/);
});

it('takes a reading of the largest size and refuses one byte more, alone or in a batch', async () => {
  const data = (count: number) => `{"a":"${'x'.repeat(count)}"}`;
  sink.maxReadingBytes = data(100).length;
  for (const wrap of [(text: string) => text, (text: string) => `[{"b":1},${text}]`]) {
    worker.handle(session.job(`{"type":"metrics","data":${wrap(data(100))}}`));
    worker.handle(session.job(`{"type":"metrics","data":${wrap(data(101))}}`));
  }
  assert.equal((await sink.records()).length, 3);
  assert.deepEqual(
    session.refused.map(({ code }) => code),
    ['record_too_large', 'record_too_large'],
  );
});

it('measures a reading without its white space', async () => {
  sink.maxReadingBytes = '{"a":1}'.length;
  worker.handle(session.job('{"type":"metrics","data":{ "a" : 1 }}'));
  assert.equal((await sink.records()).length, 1);
});

it('answers keepalives and a second identify', () => {
  worker.handle(session.job('{"type":"keepalive"}'));
  worker.handle(session.job('{"type":"identify","zipcode":"1","city":"x"}'));
  worker.handle(session.job('nonsense'));
  assert.deepEqual([session.alives, session.accepted, session.finished], [1, 1, 3]);
  assert.deepEqual(
    session.refused.map(({ code }) => code),
    ['already_identified', 'invalid_json'],
  );
});

it('answers a question for the time, and counts it as accepted', () => {
  worker.handle(session.job('{"type":"time"}'));
  assert.deepEqual([session.times, session.accepted, session.finished], [1, 1, 1]);
  assert.deepEqual(session.refused, []);
});

it('tells of a field that is ignored, with the seq of the line, and handles the line as ever', async () => {
  worker.handle(session.job('{"type":"metrics","seq":3,"ts":1,"data":{"a":1}}'));
  worker.handle(session.job('{"type":"keepalive","x":1,"y":1}'));
  worker.handle(session.job('{"type":"metrics","seq":4,"ts":1,"data":{}}'));
  worker.handle(session.job('{"type":"metrics","seq":5,"data":{"ts":1}}'));
  const unknown = NotingSession.unidentified();
  worker.handle(unknown.job('{"type":"identify","zipcod":"1","city":"x"}'));
  assert.deepEqual(
    [...session.warnings, ...unknown.warnings],
    [
      { field: 'ts', seq: 3 },
      { field: 'x', seq: undefined },
      { field: 'ts', seq: 4 },
      { field: 'zipcod', seq: undefined },
    ],
  );
  assert.deepEqual([session.accepted, session.refused.length, unknown.refused.length], [3, 1, 1]);
  assert.equal((await sink.records()).length, 2);
});

it('makes the same record of a nested reading in either way', async () => {
  const data = '{"position":{"lat":48.13720,"lon":11.5756},"axles":[7200,8100,[],{}]}';
  worker.handle(session.job(`{"type":"metrics","seq":1,"data":${data.replaceAll(',', ' , ')}}`));
  worker.handle(session.job(`{"data":${data},"type":"metrics","seq":2}`));
  assert.deepEqual(
    (await sink.records()).map(({ value }) => value.slice(head.length)),
    [`,"seq":1,"data":${data}}`, `,"seq":2,"data":${data}}`],
  );
});

it('before identify takes nothing but a valid identify', async () => {
  const metrics = '{"type":"metrics","seq":3,"data":{"a":1}}';
  const unknown = NotingSession.unidentified();
  for (const line of [metrics, '{"type":"time"}', 'nonsense', '{"type":"identify","zipcode":"1"}'])
    worker.handle(unknown.job(line));
  assert.deepEqual(
    unknown.refused.map(({ code, seq }) => [code, seq]),
    [
      ['not_identified', 3],
      ['not_identified', undefined],
      ['invalid_json', undefined],
      ['invalid_message', undefined],
    ],
  );
  worker.handle(unknown.job('{"type":"identify","zipcode":"1","city":"x","device_id":"d"}'));
  assert.deepEqual([unknown.accepted, unknown.finished, unknown.alives], [1, 5, 0]);
  worker.handle(unknown.job(metrics));
  assert.equal((await one()).key, '1');
});

it('charges a session for the time of a line that is not quick, and no more than a line of its length can take', () => {
  let nowMs = 0;
  let lineMs = 0;
  worker = new Worker(sink, new TurnBudget(() => nowMs));
  class CostlySession extends NotingSession {
    override alive(): void {
      nowMs += lineMs;
    }
  }
  const costly = new CostlySession();
  const lane = laneOf(costly);
  const chargeOf = (ms: number) => {
    lineMs = ms;
    const before = lane.credit;
    worker.handle(costly.job('{"type":"keepalive"}'));
    return before - lane.credit;
  };
  assert.equal(chargeOf(0.01), 10_000);
  // Another process had the core for a while. That must not cost the lane its turn.
  assert.ok(chargeOf(100) + quickLineNs(100) < QUANTUM_NS);
});

it('a message up to the seq that its device resumed from is answered and not written, in whichever order it comes', async () => {
  const resumed = new NotingSession();
  resumed.resumedSeq = 10;
  resumed.lastSeq = 10;
  const budget = new TurnBudget();
  const records = new BatchSink();
  const one = new Worker(records, budget);
  for (const seq of [10, 11, 3, 12, 0, 12])
    one.handle(resumed.job(`{"type":"metrics","seq":${seq},"data":{"n":${seq}}}`));
  one.handle(resumed.job('{"type":"metrics","seq":9,"data":[{"n":1},{"n":2}]}'));
  one.handle(resumed.job('{"type":"metrics","data":{"n":-1}}'));
  assert.deepEqual(resumed.skipped, [10, 3, 0, 9]);
  assert.deepEqual(
    resumed.refused.map(({ code, seq }) => [code, seq]),
    [['invalid_message', 12]],
  );
  assert.deepEqual([resumed.accepted, resumed.finished, resumed.lastSeq], [7, 8, 12]);
  assert.deepEqual(
    (await records.records()).map(({ seq }) => seq),
    [11, 12, -1],
  );
});
