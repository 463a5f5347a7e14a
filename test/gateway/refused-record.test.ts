// Records that Kafka refused, with values that the senders of plain lines chose: their letters are right, and no other
// device is told of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerRefusedRecord } from '../../src/gateway/refused-record.ts';
import { encodeBody } from '../../src/kafka/batches/record-body.ts';
import { type DeadLetter, type DeadLetters, letterOf } from '../../src/kafka/pipelines/dead-letters.ts';
import { linesFrame, RecordFrame } from '../../src/protocol/record-frame.ts';
import type { Connection } from '../../src/server/connection.ts';
import { LineTaps } from '../../src/tap/line-taps.ts';

const ID = '0b5e9f2e-6a43-4c1e-9f5c-6f5e51a1d7aa';
const WHY = { reason: 'INVALID_RECORD', topic: 'logs' };
const frame = new RecordFrame({ connectionId: ID, zipcode: '90210', city: 'Beverly Hills' });
const ofDevice = `${frame.head(Date.parse('2026-11-28T00:00:00.123Z'))},"seq":7,"data":{"a":1}}`;

const recordOf = (value: string, key: string) => ({
  timestampMs: 1,
  key: Buffer.from(key),
  value: Buffer.from(value),
  body: encodeBody(Buffer.from(value), {}, Buffer.from(key)),
});

/** The words that the connection hears, and the letter. */
async function refuse(value: string, key: string, of = frame) {
  const told: unknown[] = [];
  const device = {
    id: ID,
    frame: of,
    remoteAddress: '192.0.2.1',
    refuseAccepted: (...facts: unknown[]) => told.push(facts),
  };
  const kept: DeadLetter[] = [];
  const record = async (letter: DeadLetter) => void kept.push(letter);
  await answerRefusedRecord(recordOf(value, key), WHY, {
    connections: new Map([[ID, device as unknown as Connection]]),
    deadLetters: { record } as Partial<DeadLetters> as DeadLetters,
    taps: new LineTaps(),
  });
  const [letter] = kept;
  assert.equal(letter?.remoteAddress, told.length === 0 ? '' : '192.0.2.1');
  return { told, letter };
}

const heard = async (value: string, key: string) => (await refuse(value, key)).told;

test('a device is told of its own record that Kafka refused, and of nothing that a sender says in its name', async () => {
  const told = ['invalid_message', 'Kafka refused the record: INVALID_RECORD', 7];
  assert.deepEqual(await heard(ofDevice, '90210'), [told]);
  // Another key, another form, another zipcode.
  assert.deepEqual(await heard(ofDevice, 'host-1'), []);
  assert.deepEqual(await heard(`{"connection_id":"${ID}","seq":7}`, '90210'), []);
  assert.deepEqual(await heard(ofDevice.replace('90210', '90211'), '90210'), []);
});

test('the letter of a plain line names its connection if that is the key', async () => {
  const sent = linesFrame({ connectionId: ID });
  const { told, letter } = await refuse('{"seq":7}', ID, sent);
  assert.deepEqual([told.length, letter?.connectionId, `${letter?.key}`], [1, ID, ID]);
  assert.equal((await refuse('{"seq":7}', 'host', sent)).letter?.connectionId, '');
  const wrapped = linesFrame({ connectionId: ID }, { remoteAddress: '192.0.2.1' });
  assert.equal((await refuse('{"seq":7}', ID, wrapped)).told.length, 0);
});

test('the letter of a record has its own key, whatever the value says, and no field of a wrong type or size', () => {
  for (const field of ['5', '{}', '[1]', 'null', 'true', `"${'x'.repeat(65)}"`]) {
    const value = `{"connection_id":${field},"zipcode":${field},"device_id":${field},"seq":${field}}`;
    const { letter, seq, deviceId } = letterOf(recordOf(value, 'host'), WHY);
    assert.deepEqual([letter.connectionId, letter.zipcode, deviceId], ['', '', undefined], field);
    assert.equal(seq, field === '5' ? 5 : undefined);
    assert.equal(`${letter.key}`, 'host');
  }
  const { letter } = letterOf(recordOf('{"zipcode":"10115"}', 'host'), WHY);
  assert.deepEqual([letter.zipcode, `${letter.key}`], ['10115', 'host']);
});
