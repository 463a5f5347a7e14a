// Reads Kafka's record batches for tests. It is written from the specification
// (https://kafka.apache.org/documentation/#recordbatch) and shares no code with the writer that it judges.
import { readRecords } from '../../../simulation/brokers/records.ts';

/** @param decompress turns the bytes after the header into the records */
export function decodeBatch(batch: Buffer, decompress = (bytes: Buffer) => bytes) {
  const baseTimestamp = batch.readBigInt64BE(27);
  const count = batch.readInt32BE(57);
  const records = readRecords(decompress(batch.subarray(61)), count).map((record) => ({
    attributes: record.attributes,
    timestamp: baseTimestamp + BigInt(record.timestampDelta),
    offsetDelta: record.offsetDelta,
    key: record.key?.toString() ?? null,
    value: record.value?.toString() ?? null,
    headers: record.headers.length,
  }));
  return {
    baseOffset: batch.readBigInt64BE(0),
    batchLength: batch.readInt32BE(8),
    leaderEpoch: batch.readInt32BE(12),
    magic: batch.readInt8(16),
    crc: batch.readUInt32BE(17),
    attributes: batch.readInt16BE(21),
    lastOffsetDelta: batch.readInt32BE(23),
    baseTimestamp,
    maxTimestamp: batch.readBigInt64BE(35),
    producerId: batch.readBigInt64BE(43),
    producerEpoch: batch.readInt16BE(51),
    baseSequence: batch.readInt32BE(53),
    records,
  };
}
