// The bytes around a reading, as they bound the readings of a device: larger tags leave less room.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RecordFrame } from '../../src/protocol/record-frame.ts';
import { TurnBudget } from '../../src/queue/turn-budget.ts';
import type { RecordSink } from '../../src/workers/record-sink.ts';
import { Worker } from '../../src/workers/worker.ts';
import { CONNECTION_ID, NotingSession } from '../support/session.ts';

const ticket = { settled: () => Promise.resolve() };

function sinkFor(maxReadingBytes: number): RecordSink {
  return { maxReadingBytes, hasRoom: () => true, room: () => Promise.resolve(true), append: () => ticket };
}

/** A session whose frame has so many bytes beyond the usual. */
function sessionWith(excessBytes: number): NotingSession {
  const frameOf = (bytes: number) =>
    new RecordFrame({ connectionId: CONNECTION_ID, zipcode: '1', tags: 't'.repeat(bytes) });
  const session = new NotingSession();
  session.frame = frameOf(2000 + excessBytes - frameOf(2000).excessBytes);
  assert.equal(session.frame.excessBytes, excessBytes);
  return session;
}

const data = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`;
const WAYS = {
  'short cut': (text: string) => `{"type":"metrics","data":${text}}`,
  'complete decoder': (text: string) => `{"data":${text},"type":"metrics"}`,
  'an array': (text: string) => `{"type":"metrics","data":[{"n":1},${text}]}`,
};

for (const [way, line] of Object.entries(WAYS)) {
  it(`a reading may have what the frame of its device leaves, not a byte more (${way})`, () => {
    for (const excess of [0, 1, 300]) {
      const session = sessionWith(excess);
      const worker = new Worker(sinkFor(1000), new TurnBudget());
      assert.equal(worker.handle(session.job(line(data(1000 - excess)))), ticket);
      assert.equal(worker.handle(session.job(line(data(1001 - excess)))), undefined);
      const [refusal, ...more] = session.refused;
      assert.deepEqual(more, []);
      assert.equal(refusal?.code, 'record_too_large');
      assert.match(refusal?.message ?? '', new RegExp(`at most ${1000 - excess} fit`));
    }
  });
}

it('no reading fits if the frame alone is too large', () => {
  const session = sessionWith(1000);
  assert.equal(
    new Worker(sinkFor(900), new TurnBudget()).handle(session.job('{"type":"metrics","data":{"a":1}}')),
    undefined,
  );
  assert.match(session.refused[0]?.message ?? '', /at most 0 fit/);
});
