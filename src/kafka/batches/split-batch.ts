// Takes sealed batches apart into their records, and seals parts of them as smaller batches.

import { type Codec, decompress } from './compression.ts';
import { DiskBatch } from './producer-batch.ts';
import {
  HEADER_BYTES,
  NO_PRODUCER,
  RecordBatchWriter,
  readBatchFields,
  readStamp,
  stamp,
} from './record-batch.ts';
import { forEachRecord, recordParts } from './record-body.ts';

export interface RawRecord {
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  /** See record-body.ts. */
  readonly body: Uint8Array;
}

/** A record that Kafka will never accept. */
export interface RefusedRecord extends RawRecord {
  readonly key: Uint8Array;
  readonly value: Buffer;
}

/** @throws CodecUnavailableError if the batch's codec is missing here */
export async function unpack(bytes: Buffer): Promise<RawRecord[]> {
  const { codecId, baseTimestampMs } = readBatchFields(bytes);
  const records = await decompress(codecId, bytes.subarray(HEADER_BYTES));
  const found: RawRecord[] = [];
  forEachRecord(records, baseTimestampMs, (timestampMs, body) => found.push({ timestampMs, body }));
  return found;
}

/**
 * Splits a batch: the first part has the records before `ends[0]`, the next part the records up to `ends[1]`, and so on.
 * @param ends rising record numbers, the last of which is the batch's count; empty parts are left out
 */
export async function splitBatch(
  batch: DiskBatch,
  ends: readonly number[],
  codec: Codec,
): Promise<DiskBatch[]> {
  const records = await unpack(batch.bytes);
  const ranges = ends
    .map((end, index) => ({ from: ends[index - 1] ?? 0, to: Math.min(end, batch.count) }))
    .filter(({ from, to }) => from < to);
  return Promise.all(
    ranges.map(async ({ from, to }) => {
      const writer = new RecordBatchWriter(HEADER_BYTES);
      for (const { timestampMs, body } of records.slice(from, to)) writer.appendRaw(timestampMs, body);
      const { bytes } = await writer.seal(codec);
      stamp(bytes, NO_PRODUCER);
      return new DiskBatch({ bytes, count: to - from, offset: batch.offset + from });
    }),
  );
}

export const codecOf = ({ bytes }: DiskBatch): number => readBatchFields(bytes).codecId;

/**
 * The same records, compressed with another codec. They keep the producer's stamp: a broker that has them already under
 * this sequence recognises them.
 * @throws CodecUnavailableError if the batch's codec is missing here
 */
export async function recode(batch: DiskBatch, codec: Codec): Promise<DiskBatch> {
  const [recoded] = await splitBatch(batch, [batch.count], codec);
  if (recoded === undefined) return batch;
  const { bytes, count, offset } = recoded;
  stamp(bytes, readStamp(batch.bytes));
  return new DiskBatch({ bytes, count, offset, isStamped: batch.isStamped });
}

/** @param batch of a single record */
export async function onlyRecord({ bytes }: DiskBatch): Promise<RefusedRecord> {
  const [record] = await unpack(bytes);
  if (record === undefined) throw new Error('the batch has no record');
  return { ...recordParts(record.body), ...record };
}
