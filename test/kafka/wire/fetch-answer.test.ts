// Answers to Fetch requests in each version, and answers that are cut short.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeFetchAnswer } from '../../../src/kafka/wire/fetch-answer.ts';

const int16 = (value: number) => Buffer.from([(value >> 8) & 255, value & 255]);
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int64 = (value: number) => Buffer.concat([int32(0), int32(value)]);
const RECORDS = Buffer.from('records');

function answer(version: number): Buffer {
  return Buffer.concat([
    int32(70),
    ...(version >= 7 ? [int16(0), int32(5)] : []),
    int32(1),
    int16(4),
    Buffer.from('dead'),
    int32(1),
    int32(3),
    int16(1),
    int64(42),
    int64(41),
    ...(version >= 5 ? [int64(7)] : []),
    // One aborted transaction.
    int32(1),
    int64(9),
    int64(9),
    ...(version >= 11 ? [int32(-1)] : []),
    int32(RECORDS.length),
    RECORDS,
  ]);
}

test('each version is decoded, and an answer that is cut short is refused', () => {
  for (let version = 4; version <= 11; version++) {
    const whole = answer(version);
    assert.deepEqual(decodeFetchAnswer(whole, version), {
      errorCode: 1,
      highWatermark: 42,
      records: RECORDS,
      clientSideThrottleTime: version >= 8 ? 70 : 0,
    });
    for (let bytes = 0; bytes < whole.length; bytes++)
      assert.throws(
        () => decodeFetchAnswer(whole.subarray(0, bytes), version),
        RangeError,
        `${version} ${bytes}`,
      );
  }
});

test('an error of the whole request is its error code', () => {
  const body = Buffer.concat([int32(0), int16(70), int32(0), int32(0)]);
  assert.equal(decodeFetchAnswer(body, 7).errorCode, 70);
});
