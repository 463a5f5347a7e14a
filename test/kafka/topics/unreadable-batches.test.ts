// Batches that cannot be read, between two that can: whoever may write to a topic must not hide the records behind them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createCodec, decompress } from '../../../src/kafka/batches/compression.ts';
import { HEADER_BYTES, RecordBatchWriter, stampUnsent } from '../../../src/kafka/batches/record-batch.ts';
import { encodeBody, recordParts } from '../../../src/kafka/batches/record-body.ts';
import type { KafkaClient } from '../../../src/kafka/client/kafka-client.ts';
import { TopicReadError, TopicReader } from '../../../src/kafka/topics/topic-reader.ts';

async function batchAt(offset: number): Promise<Buffer> {
  const writer = new RecordBatchWriter(HEADER_BYTES);
  writer.appendRaw(5, encodeBody(Buffer.from(`v${offset}`), {}));
  const { bytes } = await writer.seal(createCodec('none'));
  stampUnsent(bytes, undefined);
  bytes.writeBigInt64BE(BigInt(offset));
  return bytes;
}

/** A client of a topic with one partition. */
const clientWith = (batches: readonly Buffer[]): KafkaClient =>
  ({
    topicMetadata: async () => ({ errorCode: 0, leaders: [1], clusterId: 'c' }),
    fetch: async () => ({ errorCode: 0, highWatermark: batches.length, records: Buffer.concat(batches) }),
  }) as unknown as KafkaClient;

test('a batch that cannot be read is passed over if somebody hears of it, and ends the reading if nobody does', async () => {
  const batches = await Promise.all([0, 1, 2, 3].map(batchAt));
  const [, broken = Buffer.of(), old = Buffer.of()] = batches;
  broken[broken.length - 1] = 0xff;
  // Behind the byte of the format an old batch has other fields.
  old[16] = 1;
  old.fill(0x7f, 17);
  const reader = new TopicReader(clientWith(batches), { topic: 't', signal: new AbortController().signal });
  await reader.open();
  const damages: string[] = [];
  const read = async (damaged?: (text: string) => void) => {
    const found: string[] = [];
    for await (const records of reader.read(0, { from: 0, end: 4, ...(damaged && { damaged }) }))
      found.push(...records.map(({ body }) => recordParts(body).value.toString()));
    return found;
  };
  assert.deepEqual(await read((text) => void damages.push(text)), ['v0', 'v3']);
  assert.deepEqual(damages, [
    't, partition 0, offset 1: the batch does not match its checksum',
    't, partition 0, offset 2: a format of before Kafka 0.11',
  ]);
  await assert.rejects(read(), (error) => error instanceof TopicReadError && error.problem === 'unreadable');
});

test('a batch is not unpacked past 256 MiB', async () => {
  const sixteenMiB = gzipSync(Buffer.alloc(16 * 2 ** 20));
  const packed = (count: number) => Buffer.concat(Array.from({ length: count }, () => sixteenMiB));
  assert.equal((await decompress(1, packed(2))).length, 32 * 2 ** 20);
  await assert.rejects(decompress(1, packed(17)), RangeError);
});
