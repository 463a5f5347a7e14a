// A batch that Kafka refuses because of a record in it is taken apart until the offender stands alone.
import { type Codec, decompress } from './compression.ts';
import { ReadyBatch } from './outgoing.ts';
import {
  forEachRecord,
  HEADER_BYTES,
  NO_PRODUCER,
  RecordBatchWriter,
  readBatchFields,
  recordParts,
  stamp,
} from './record-batch.ts';

/** A record as it goes to the dead letters. */
export interface RefusedRecord {
  readonly key: Uint8Array;
  readonly value: Buffer;
  readonly timestampMs: number;
}

/** The records of a sealed batch. */
export async function unpack(bytes: Buffer): Promise<{ timestampMs: number; body: Uint8Array }[]> {
  const { codecId, baseTimestampMs } = readBatchFields(bytes);
  const records = await decompress(codecId, bytes.subarray(HEADER_BYTES));
  const found: { timestampMs: number; body: Uint8Array }[] = [];
  forEachRecord(records, baseTimestampMs, (timestampMs, body) => found.push({ timestampMs, body }));
  return found;
}

/** The two halves of a batch of at least two records, not yet stamped. */
export async function halve(bytes: Buffer, openedAtMs: number, codec: Codec): Promise<ReadyBatch[]> {
  const records = await unpack(bytes);
  const middle = Math.ceil(records.length / 2);
  const halves = [records.slice(0, middle), records.slice(middle)].filter((half) => half.length > 0);
  return Promise.all(
    halves.map(async (half) => {
      const writer = new RecordBatchWriter(HEADER_BYTES);
      for (const { timestampMs, body } of half) writer.appendRaw(timestampMs, body);
      const { bytes: sealed } = await writer.seal(codec);
      stamp(sealed, NO_PRODUCER);
      return new ReadyBatch(sealed, half.length, openedAtMs);
    }),
  );
}

/** The only record of a batch. */
export async function onlyRecord(bytes: Buffer): Promise<RefusedRecord | undefined> {
  const [record] = await unpack(bytes);
  return record && { ...recordParts(record.body), timestampMs: record.timestampMs };
}
