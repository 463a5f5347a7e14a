// The answers that `sluice check` reads itself: rights and the clock of the quorum, whole and cut off at each byte.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeQuorumClock } from '../../../src/kafka/wire/quorum-clock.ts';
import { decodeRights, encodeRightsRequest, may, OPERATIONS } from '../../../src/kafka/wire/rights.ts';

const i16 = (value: number) => [(value >> 8) & 0xff, value & 0xff];
const i32 = (value: number) => [...i16(value >>> 16), ...i16(value & 0xffff)];
const i64 = (value: number) => [...i32(Math.floor(value / 2 ** 32)), ...i32(value >>> 0)];
const text = (value: string) => [...i16(value.length), ...Buffer.from(value)];
const compact = (value: string) => [value.length + 1, ...Buffer.from(value)];
const RIGHTS = (1 << OPERATIONS.write) | (1 << OPERATIONS.describe);
const NOW_MS = 1_780_000_000_123;

const METADATA = Buffer.from([
  ...i32(0),
  ...[...i32(1), ...i32(7), ...text('kafka-1'), ...i32(9092), ...i16(-1)],
  ...[...text('cluster'), ...i32(7)],
  ...[...i32(1), ...i16(0), ...text('t'), 0],
  ...[...i32(1), ...i16(0), ...i32(0), ...i32(7), ...i32(3)],
  ...[...i32(2), ...i32(7), ...i32(8), ...i32(1), ...i32(7), ...i32(0)],
  ...[...i32(RIGHTS), ...i32(-(2 ** 31))],
]);

const replica = (id: number, nowMs: number) => [...i32(id), ...i64(5), ...i64(nowMs), ...i64(nowMs), 0];
const QUORUM = Buffer.from([
  ...[0, ...i16(0), 2, ...compact('__cluster_metadata')],
  ...[2, ...i32(0), ...i16(0), ...i32(1), ...i32(4), ...i64(9)],
  ...[3, ...replica(2, NOW_MS - 400), ...replica(1, NOW_MS)],
  // A field of a newer version.
  ...[1, 1, 5, 2, 0xff, 0xff],
  ...[0, 0],
]);

describe('an answer with rights', () => {
  it('has brokers, partitions, and each right of the login', () => {
    const { brokers, topicMetadata, clusterOperations } = decodeRights(METADATA);
    assert.deepEqual(brokers, [{ nodeId: 7, host: 'kafka-1', port: 9092 }]);
    const [topic] = topicMetadata;
    assert.deepEqual(topic?.partitionMetadata[0]?.replicas, [7, 8]);
    assert.deepEqual(topic?.partitionMetadata[0]?.isr, [7]);
    assert.deepEqual([may(topic?.operations, 'write'), may(topic?.operations, 'create')], [true, false]);
    assert.equal(may(clusterOperations, 'create'), undefined);
    assert.equal(may(undefined, 'write'), undefined);
  });

  it('is asked for without a wish to create topics', () => {
    assert.deepEqual([...encodeRightsRequest(['t'])], [...i32(1), ...text('t'), 0, 1, 1]);
  });
});

describe('an answer with the clock', () => {
  it('has the time of the leader, whatever its place', () => {
    assert.deepEqual(decodeQuorumClock(QUORUM), { errorCode: 0, nowMs: NOW_MS });
  });

  it('that refuses has the code and no time', () => {
    assert.deepEqual(decodeQuorumClock(Buffer.from([0, ...i16(31), 1, 0])), {
      errorCode: 31,
      nowMs: undefined,
    });
  });
});

it('answers that are cut off anywhere, or promise endless lists, end with a RangeError', () => {
  for (const [decode, whole] of [
    [decodeRights, METADATA],
    [decodeQuorumClock, QUORUM],
  ] as const)
    for (let end = 0; end < whole.length; end++)
      assert.throws(() => decode(whole.subarray(0, end)), RangeError);
  const endless = Buffer.from([...i32(0), ...i32(2 ** 31 - 1)]);
  assert.throws(() => decodeRights(endless), RangeError);
});
