// The bytes of record batches, judged by decode-batch.ts, which shares no code with the writer.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { portableCrc32c } from '../../../src/checksum/crc32c.ts';
import { type Codec, createCodec } from '../../../src/kafka/batches/compression.ts';
import {
  NO_PRODUCER,
  nextSequence,
  RecordBatchWriter,
  recordBound,
  stamp,
  stampTime,
} from '../../../src/kafka/batches/record-batch.ts';
import { encodeBody, keyOf } from '../../../src/kafka/batches/record-body.ts';
import { unpack } from '../../../src/kafka/batches/split-batch.ts';
import { RecordFrame } from '../../../src/protocol/record-frame.ts';
import type { Reading } from '../../../src/workers/record-sink.ts';
import { fakeSession, reading } from '../delivery/fakes.ts';
import { decodeBatch } from './decode-batch.ts';

const none = createCodec('none');
const AT = Date.UTC(2026, 10, 21, 8, 0, 0, 123);
const { frame } = fakeSession('90210', 'c-1');

/** Seals a batch and decodes it. */
const decoded = async (writer: RecordBatchWriter, codec: Codec = none) =>
  decodeBatch((await writer.seal(codec)).bytes);

/** The batch of these readings. */
function batchOf(...readings: readonly Reading[]) {
  const writer = new RecordBatchWriter(256);
  for (const one of readings) writer.append(frame, one);
  return decoded(writer);
}

test('a batch header holds length, count, timestamps and producer, and the checksum of the bytes after it', async () => {
  const writer = new RecordBatchWriter(256);
  for (const [i, ms] of [AT, AT + 5, AT + 2].entries())
    writer.append(frame, reading(`{"n":${i}}`, { receivedAtMs: ms }));
  const { bytes } = await writer.seal(none);
  stamp(bytes, { producerId: 0x1234567890abcdefn, producerEpoch: 7, baseSequence: 99 });

  const { records, crc, ...header } = decodeBatch(bytes);
  assert.deepEqual(header, {
    baseOffset: 0n,
    batchLength: bytes.length - 12,
    leaderEpoch: -1,
    magic: 2,
    attributes: 0,
    lastOffsetDelta: 2,
    baseTimestamp: BigInt(AT),
    maxTimestamp: BigInt(AT + 5),
    producerId: 0x1234567890abcdefn,
    producerEpoch: 7,
    baseSequence: 99,
  });
  assert.equal(crc, portableCrc32c(bytes.subarray(21)));
  const told = records.map(({ offsetDelta, timestamp }) => `${offsetDelta}: ${Number(timestamp) - AT} ms`);
  assert.deepEqual(told, ['0: 0 ms', '1: 5 ms', '2: 2 ms']);
});

test('a batch of a producer that is not idempotent has -1 for id, epoch and sequence', async () => {
  const writer = new RecordBatchWriter(256);
  writer.append(frame, reading('{"n":1}'));
  const { bytes } = await writer.seal(none);
  stamp(bytes, NO_PRODUCER);
  const { producerId, producerEpoch, baseSequence } = decodeBatch(bytes);
  assert.deepEqual([producerId, producerEpoch, baseSequence], [-1n, -1, -1]);
});

test('a record has the zipcode as its key and the documented value, digit for digit', async () => {
  const city = 'Köln "Süd"';
  const withId = new RecordFrame({ connectionId: 'c-2', zipcode: 'A-1', city, deviceId: 'd.7' });
  const data = '{"timestamp":"2026-11-21T08:00:00Z","big":12345678901234567890,"x":1.10,"ü":"→"}';
  const writer = new RecordBatchWriter(256);
  writer.append(frame, reading(data, { receivedAtMs: AT }));
  writer.append(frame, reading(data, { receivedAtMs: AT, seq: 0 }));
  writer.append(withId, reading(data, { receivedAtMs: AT }));
  writer.append(withId, reading(data, { receivedAtMs: AT, seq: Number.MAX_SAFE_INTEGER }));
  const { records } = await decoded(writer);
  const head =
    '{"connection_id":"c-1","zipcode":"90210","city":"Beverly Hills","received_at":"2026-11-21T08:00:00.123Z"';
  const other =
    '{"connection_id":"c-2","zipcode":"A-1","city":"Köln \\"Süd\\"","received_at":"2026-11-21T08:00:00.123Z","device_id":"d.7"';
  assert.deepEqual(
    records.map(({ key, value, headers, attributes }) => [key, value, headers, attributes]),
    [
      ['90210', `${head},"data":${data}}`, 0, 0],
      ['90210', `${head},"seq":0,"data":${data}}`, 0, 0],
      ['A-1', `${other},"data":${data}}`, 0, 0],
      ['A-1', `${other},"seq":9007199254740991,"data":${data}}`, 0, 0],
    ],
  );
});

test('a record leaves out white space between the tokens of its reading, but not within strings', async () => {
  const text = '{ "a b" :\t1 ,\r "c" : " d " }';
  const compact = '{"a b":1,"c":" d "}';
  const writer = new RecordBatchWriter(256);
  const size = writer.append(frame, reading(text, { whitespace: text.length - compact.length }));
  const { bytes } = await writer.seal(none);
  assert.equal(size, bytes.length - 61);
  assert.ok(decodeBatch(bytes).records[0]?.value?.endsWith(`"data":${compact}}`));
});

test('only the bytes between start and end of a reading are written', async () => {
  const bytes = Buffer.from('{"type":"metrics","data":{"n":7}}{"type"');
  const { records } = await batchOf({ ...reading(''), bytes, start: 17, end: 33 });
  assert.ok(records[0]?.value?.endsWith('"data":{"n":7}}'));
});

test('timestamps far before and after the first one are kept, since a clock may be set', async () => {
  const near = [0, -1, -64, -65, 63, 64].map((ms) => AT + ms);
  const times = [...near, 0, 1, AT - 2 ** 31, AT + 2 ** 32, 253_402_300_799_999];
  const batch = await batchOf(...times.map((receivedAtMs) => reading('{"n":1}', { receivedAtMs })));
  const written = batch.records.map(({ timestamp }) => Number(timestamp));
  assert.deepEqual(written, times);
  assert.equal(batch.maxTimestamp, BigInt(Math.max(...times)));
  assert.ok(batch.records[6]?.value?.includes('"received_at":"1970-01-01T00:00:00.000Z"'));
});

test('a batch that grows to thousands of records keeps them all', async () => {
  const writer = new RecordBatchWriter(0);
  let bytes = 0;
  for (let i = 0; i < 5000; i++)
    bytes += writer.append(frame, reading(`{"n":${i}}`, { receivedAtMs: AT + i }));
  writer.append(frame, reading(`{"long":"${'x'.repeat(200_000)}"}`, { receivedAtMs: AT }));
  assert.equal(writer.count, 5001);
  const { records } = await decoded(writer);
  for (let i = 0; i < 5000; i++) {
    assert.equal(records[i]?.offsetDelta, i);
    assert.equal(records[i]?.timestamp, BigInt(AT + i));
    assert.ok(records[i]?.value?.endsWith(`"data":{"n":${i}}}`), `record ${i}`);
  }
  assert.equal(records[5000]?.value?.length, (records[0]?.value?.length as number) + 200_000 + 4);
  assert.ok(bytes < writer.bytes);
});

test('records of many sizes stay whole and in order at the borders of chunks', async () => {
  const writer = new RecordBatchWriter(0);
  const lengths = Array.from({ length: 900 }, (_, i) => (i * 7919) % 1500);
  lengths.splice(300, 0, 65_500, 65_536, 70_000, 1);
  for (const [i, length] of lengths.entries())
    writer.append(frame, reading(`{"i":${i},"x":"${'x'.repeat(length)}"}`));
  const expected = lengths.map((length, i) => `{"i":${i},"x":"${'x'.repeat(length)}"}}`);
  const { records } = await decoded(writer);
  const found = records.map(({ value }) => dataOf(value ?? ''));
  assert.deepEqual(found, expected);
});

test('a batch is sealed only once, since another batch may have its memory afterwards', async () => {
  const writer = new RecordBatchWriter(0);
  writer.append(frame, reading('{"n":1}'));
  await writer.seal(none);
  assert.throws(() => writer.seal(none), /sealed already/);
});

/** The text after `"data":` in a record's value. */
function dataOf(value: string): string {
  return value.slice(value.indexOf('"data":') + '"data":'.length);
}

test('no record is larger than its bound', () => {
  const [connectionId, zipcode, deviceId] = ['c'.repeat(36), 'z'.repeat(16), 'd'.repeat(64)];
  const largest = new RecordFrame({ connectionId, zipcode, city: '\u{1f3d9}'.repeat(128), deviceId });
  for (const length of [2, 62, 63, 64, 8190, 8192, 65_536, 2 ** 20]) {
    for (const seq of [-1, 0, Number.MAX_SAFE_INTEGER]) {
      const writer = new RecordBatchWriter(0);
      const one = reading('x'.repeat(length), { seq, receivedAtMs: AT });
      const size = writer.append(largest, one);
      assert.ok(size <= recordBound(largest, one.end), `${size} bytes of a reading of ${length}`);
    }
  }
});

test('records moved to other batches keep key, value and timestamp', async () => {
  const zipcodes = ['90210', '10001', '60601'];
  const frames = zipcodes.map((zipcode) => fakeSession(zipcode).frame);
  const source = new RecordBatchWriter(128);
  for (let i = 0; i < 300; i++) {
    const pick = frames[i % 3] as (typeof frames)[0];
    source.append(pick, reading(`{"n":${i}}`, { receivedAtMs: AT + ((i * 7919) % 1000) - 500 }));
  }
  const targets = new Map(zipcodes.map((zipcode) => [zipcode, new RecordBatchWriter(0)]));
  const { bytes } = await source.seal(none);
  for (const { timestampMs, body } of await unpack(bytes))
    targets.get(Buffer.from(keyOf(body)).toString())?.appendRaw(timestampMs, body);
  const before = decodeBatch(bytes).records;
  for (const zipcode of zipcodes) {
    const { records: after } = await decoded(targets.get(zipcode) as RecordBatchWriter);
    const moved = before.filter(({ key }) => key === zipcode);
    const expected = moved.map((record, offsetDelta) => ({ ...record, offsetDelta }));
    assert.equal(after.length, 100);
    assert.deepEqual(after, expected);
  }
});

test('a compressed batch names its codec, and its checksum covers the compressed bytes', async () => {
  const writer = new RecordBatchWriter(256);
  for (let i = 0; i < 100; i++) writer.append(frame, reading(`{"n":${i}}`));
  const { bytes } = await writer.seal(createCodec('gzip'));
  stamp(bytes, NO_PRODUCER);
  const batch = decodeBatch(bytes, gunzipSync);
  assert.equal(batch.attributes, 1);
  assert.equal(batch.records.length, 100);
  assert.equal(batch.batchLength, bytes.length - 12);
  assert.equal(batch.crc, portableCrc32c(bytes.subarray(21)));
});

test('a batch that compression would make larger stays uncompressed, and its header says so', async () => {
  const writer = new RecordBatchWriter(256);
  const noise = randomBytes(4000)
    .toString('latin1')
    .replaceAll(/[^ -~]|["\\]/g, 'x');
  writer.append(frame, reading(`{"noise":"${noise}"}`));
  const lz4 = { name: 'lz4', id: 3, isAsync: false } as const;
  const batch = await decoded(writer, { ...lz4, compress: (parts) => [...parts, Buffer.alloc(1)] });
  assert.equal(batch.attributes, 0);
  assert.ok(batch.records[0]?.value?.includes(noise));
  const other = new RecordBatchWriter(256);
  other.append(frame, reading('{"n":1}'));
  const same: Codec = { ...lz4, compress: (parts) => parts.map((part) => Buffer.from(part)) };
  assert.equal((await decoded(other, same)).attributes, 0);
});

test('after the highest sequence comes 0, for any number of records', () => {
  const last = 2 ** 31 - 1;
  for (const [sequence, count, next] of [
    [0, 1, 1],
    [last - 1, 1, last],
    [last, 1, 0],
    [last, 2 ** 31, last],
    [0, 2 ** 32 - 1, last],
    [5, 3 * 2 ** 31, 5],
  ] as const) {
    assert.equal(nextSequence(sequence, count), next, `${sequence} + ${count}`);
  }
});

test('stampTime moves all timestamps, so that the latest is the time of sending', async () => {
  const writer = new RecordBatchWriter(1024);
  const at = Date.UTC(2020, 0, 1);
  for (const offset of [0, 40, 15]) writer.appendRaw(at + offset, encodeBody(Buffer.from('{}'), {}));
  const { bytes } = await writer.seal(createCodec('none'));
  const now = Date.UTC(2026, 10, 28);
  stampTime(bytes, now);
  stamp(bytes, NO_PRODUCER);
  const batch = decodeBatch(bytes);
  const timestamps = batch.records.map(({ timestamp }) => Number(timestamp) - now);
  assert.deepEqual(timestamps, [-40, 0, -25]);
  assert.equal(Number(batch.maxTimestamp), now);
  assert.equal(batch.crc, portableCrc32c(bytes.subarray(21)));
});
