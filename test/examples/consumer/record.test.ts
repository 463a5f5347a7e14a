// Which records are readings, the names that identify them, and which of them the old tables take.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawMembers } from '../../../examples/consumer/src/raw.ts';
import { decode, type Reading } from '../../../examples/consumer/src/record.ts';
import { readSettings } from '../../../examples/consumer/src/settings.ts';

const RULES = { keyBy: 'device', numberField: undefined } as const;
const VALUE = {
  connection_id: 'c-1',
  zipcode: '90210',
  city: 'Beverly Hills',
  received_at: '2026-11-21T11:33:11.494Z',
  device_id: 'roof-7',
  seq: 5,
  data: { timestamp: '2026-11-21T11:33:10Z', temperature: 21.5 },
};

const record = (value: object | string | Buffer | null, offset = '7') => ({
  topic: 't',
  partition: 3,
  offset,
  at: '1795000000000',
  value:
    value === null || Buffer.isBuffer(value)
      ? value
      : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
});

function reading(value: object | string, rules: Parameters<typeof decode>[1] = RULES, offset = '7'): Reading {
  const decoded = decode(record(value, offset), rules);
  assert.ok(decoded.kind === 'reading', JSON.stringify(decoded));
  return decoded.reading;
}

const keyOf = (...args: Parameters<typeof reading>) => Object.values(reading(...args).key).join(' ');

test('a record that is no reading is rejected with a reason', () => {
  const cases: [Parameters<typeof record>[0], string][] = [
    [null, 'empty'],
    [Buffer.alloc(0), 'empty'],
    [Buffer.from('{"a":"\xff"}', 'latin1'), 'not_utf8'],
    ['{"connection_id":', 'not_json'],
    ['null', 'not_a_reading'],
    ['[1]', 'not_a_reading'],
    ['7', 'not_a_reading'],
    [{ host: 'box', message: 'a plain line' }, 'not_a_reading'],
    [{ received_at: VALUE.received_at, remote_address: '::1', data: {} }, 'not_a_reading'],
    [{ ...VALUE, data: [1] }, 'not_a_reading'],
    [{ ...VALUE, received_at: 'yesterday' }, 'not_a_reading'],
    ['['.repeat(60_000), 'not_json'],
  ];
  for (const [value, reason] of cases) {
    const decoded = decode(record(value), RULES);
    assert.equal(decoded.kind === 'rejected' && decoded.reason, reason);
  }
});

test('unknown fields are ignored, and members are taken out as they are written', () => {
  const text =
    '{ "connection_id":"c", "x":[{"data":1}],"received_at":"2026-11-21T11:33:11.494Z", "tags":{"data":"}"} ,' +
    '"data":{"n":12345678901234567890.10,"s":"\\u0000\\"}{","o":{"p":[1e400]}} }';
  const { dataText, tagsText } = reading(text);
  assert.equal(dataText, '{"n":12345678901234567890.10,"s":"\\u0000\\"}{","o":{"p":[1e400]}}');
  assert.equal(tagsText, '{"data":"}"}');
  assert.equal(rawMembers('{"d\\u0061ta":1,"data":2}').get('data'), '2');
  assert.equal(rawMembers('{}').size, 0);
});

test('a copy has the key of its original, and no other reading has it', () => {
  const usual = keyOf(VALUE);
  const again = { ...VALUE, connection_id: 'c-2', received_at: '2026-11-21T11:40:00.000Z' };
  assert.equal(keyOf(again, RULES, '99'), usual, 'sent again on another connection');
  assert.notEqual(keyOf({ ...VALUE, seq: 6 }), usual);
  assert.notEqual(keyOf({ ...VALUE, device_id: 'roof-8' }), usual);
  assert.notEqual(keyOf({ ...VALUE, data: { ...VALUE.data, temperature: 21.6 } }), usual, 'of one array');
  // Both are the same 64-bit float.
  const withNumber = (digits: string) => JSON.stringify(VALUE).replace('21.5', digits);
  assert.notEqual(keyOf(withNumber('12345678901234567890')), keyOf(withNumber('12345678901234567891')));
});

test('READING_KEY=connection tells readings of two connections apart', () => {
  const rules = { ...RULES, keyBy: 'connection' } as const;
  assert.notEqual(keyOf({ ...VALUE, connection_id: 'c-2' }, rules), keyOf(VALUE, rules));
  assert.equal(keyOf(VALUE, rules, '99'), keyOf(VALUE, rules));
});

test('NUMBER_FIELD names a reading by the number of its device alone', () => {
  const rules = { ...RULES, numberField: 'n' };
  const value = { ...VALUE, data: { n: 41, temperature: 1 } };
  assert.equal(keyOf({ ...value, seq: 9, connection_id: 'c-2' }, rules), keyOf(value, rules));
  assert.notEqual(keyOf({ ...value, data: { n: 42, temperature: 1 } }, rules), keyOf(value, rules));
  // A number that 64 bits cannot hold, or none, leaves the seq.
  for (const n of [2 ** 53, 1.5, '41', undefined])
    assert.equal(keyOf({ ...value, data: { n } }, rules), keyOf({ ...value, data: { n } }));
});

test('a field without a name is no number of the device', () => {
  const rules = readSettings({ DATABASE_URL: 'postgresql://db/weather' });
  const value = { ...VALUE, data: { '': 1, temperature: 1 } };
  assert.notEqual(keyOf({ ...value, seq: 9 }, rules), keyOf(value, rules));
});

test('without a seq the place in the topic is the key', () => {
  const { seq: _, ...value } = VALUE;
  assert.equal(keyOf(value), keyOf(value));
  assert.notEqual(keyOf(value, RULES, '8'), keyOf(value, RULES, '7'));
  assert.notEqual(keyOf({ ...value, connection_id: 'c-2' }), keyOf(value), 'a topic that was made again');
  assert.notEqual(keyOf({ ...value, seq: 2 ** 60 }), keyOf(value, RULES, '9'), 'a seq beyond 64-bit floats');
});

test('the old tables take readings with a short zipcode and a plausible time alone', () => {
  const skipped = (value: object) => reading(value).skipped;
  const at = (timestamp: unknown) => skipped({ ...VALUE, data: { timestamp } });
  assert.equal(skipped(VALUE), null);
  assert.equal(skipped({ ...VALUE, zipcode: undefined }), 'no_zipcode');
  assert.equal(skipped({ ...VALUE, zipcode: null }), 'no_zipcode');
  assert.equal(skipped({ ...VALUE, zipcode: '1234567890' }), null);
  assert.equal(skipped({ ...VALUE, zipcode: '12345678901' }), 'long_zipcode');
  assert.equal(skipped({ ...VALUE, zipcode: '😀'.repeat(10) }), null);
  for (const none of [
    undefined,
    null,
    1795,
    'now',
    '2026-11-21',
    '2026-11-21 08:00:00Z',
    '2026-02-29T00:00:00Z',
  ])
    assert.equal(at(none), 'no_timestamp', String(none));
  for (const none of [
    '2026-13-01T00:00:00Z',
    '2026-11-21T24:00:00Z',
    '2026-11-00T08:00:00Z',
    '2026-11-21T08:00:60Z',
  ])
    assert.equal(at(none), 'no_timestamp', none);
  for (const good of ['2024-02-29T00:00:00Z', '2000-01-01T00:00:00Z', '2026-11-22T11:33:11.494Z'])
    assert.equal(at(good), null, good);
  for (const far of [
    '1999-12-31T23:59:59Z',
    '0000-01-01T00:00:00Z',
    '2026-11-22T11:33:11.495Z',
    '9999-12-31T00:00:00Z',
  ])
    assert.equal(at(far), 'time_out_of_range', far);
  assert.equal(
    reading({ ...VALUE, data: { timestamp: '2026-11-21T01:00:00+23:30' } }).measuredAt,
    '2026-11-20T01:30:00.000Z',
  );
});
