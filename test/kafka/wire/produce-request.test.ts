// The bytes of Produce requests and responses, written out by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeProduceResponse, encodeProduceRequest } from '../../../src/kafka/wire/produce-request.ts';
import { int16, int32, int64, text } from '../client/scripted-broker.ts';

test('a Produce request is encoded as version 7', () => {
  const batches = [
    { partition: 3, bytes: Buffer.from('first batch') },
    { partition: 0, bytes: Buffer.from('second') },
  ];
  const parts = encodeProduceRequest(
    { topic: 'tö', acks: -1, timeoutMs: 1500, batches },
    { version: 7, correlationId: 77, clientId: 'me' },
  );
  const frame = Buffer.concat(parts);
  const expected = Buffer.concat([
    int32(frame.length - 4),
    int16(0, 7),
    int32(77),
    text('me'),
    int16(-1, -1),
    int32(1500, 1),
    text('tö'),
    int32(2),
    int32(3, 11),
    Buffer.from('first batch'),
    int32(0, 6),
    Buffer.from('second'),
  ]);
  assert.deepEqual(frame, expected);
});

test('a small request is one buffer, and a large one contains the buffers of its batches', () => {
  const requestOf = (...sizes: readonly number[]) => {
    const batches = sizes.map((size, partition) => ({ partition, bytes: Buffer.alloc(size, partition + 1) }));
    return {
      batches,
      parts: encodeProduceRequest(
        { topic: 't', acks: 1, timeoutMs: 1, batches },
        { version: 7, correlationId: 1, clientId: 'me' },
      ),
    };
  };
  const small = requestOf(100, 30_000, 30_000);
  assert.equal(small.parts.length, 1);
  const large = requestOf(100, 30_000, 40_000);
  for (const { bytes } of large.batches) assert.ok(large.parts.includes(bytes), 'the batch was copied');

  for (const { batches, parts } of [small, large]) {
    const frame = Buffer.concat(parts);
    assert.equal(frame.readInt32BE(0), frame.length - 4);
    const tail = batches.map(({ partition, bytes }) =>
      Buffer.concat([int32(partition, bytes.length), bytes]),
    );
    assert.deepEqual(frame.subarray(-Buffer.concat(tail).length), Buffer.concat(tail));
  }
});

test('a response is decoded by partition, without other topics', () => {
  const partition = (index: number, code: number, offset: bigint) =>
    Buffer.concat([int32(index), int16(code), int64(offset), int64(-1n), int64(0n)]);
  const topic = (name: string, ...partitions: Buffer[]) =>
    Buffer.concat([text(name), int32(partitions.length), ...partitions]);
  const body = Buffer.concat([
    int32(2),
    topic('other', partition(0, 0, 5n), partition(1, 0, 6n)),
    topic('tö', partition(1, 6, -1n), partition(4, 0, 2n ** 40n)),
    int32(250),
  ]);
  assert.deepEqual(decodeProduceResponse(body, 'tö', 7), {
    partitions: [
      { partition: 1, errorCode: 6, baseOffset: -1n },
      { partition: 4, errorCode: 0, baseOffset: 2n ** 40n },
    ],
    throttleMs: 250,
  });
  assert.deepEqual(decodeProduceResponse(body, 'absent', 7).partitions, []);
});

test('the answer of a topic with LogAppendTime tells the clock of the broker', () => {
  const appendedMs = 1_800_000_000_123n;
  const partition = (code: number, appendMs: bigint) =>
    Buffer.concat([int32(0), int16(code), int64(7n), int64(appendMs), int64(0n)]);
  const answer = (...partitions: Buffer[]) =>
    Buffer.concat([int32(1), text('t'), int32(partitions.length), ...partitions, int32(0)]);
  const clock = (...partitions: Buffer[]) => decodeProduceResponse(answer(...partitions), 't', 7).logAppendMs;
  assert.equal(clock(partition(0, appendedMs)), Number(appendedMs));
  // A batch that was refused has no time.
  assert.equal(clock(partition(6, -1n), partition(0, appendedMs)), Number(appendedMs));
  assert.equal(clock(partition(0, -1n)), undefined);
});
