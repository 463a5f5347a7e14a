// A record batch as a broker keeps it: its bytes with offset and epoch, and its records in plain form. A broker changes
// only the fields before the checksum, except for LogAppendTime and compaction, which make a new checksum.
import { crc32c } from '../../src/checksum/crc32c.ts';
import { unpack } from './codecs.ts';
import { readRecords } from './records.ts';

const AT = {
  length: 8,
  epoch: 12,
  crc: 17,
  attributes: 21,
  baseTimestamp: 27,
  maxTimestamp: 35,
  count: 57,
} as const;
export const HEADER_BYTES = 61;
const LENGTH_OFFSET = 12;
const MAGIC = 2;
const CODEC_BITS = 7;
const LOG_APPEND_TIME = 8;

export interface StoredRecord {
  readonly offset: number;
  /** Milliseconds since 1970: of the producer, or with LogAppendTime of the broker. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
  /** Number of its batch in this log, counted from 0. */
  readonly batch: number;
}

export interface StoredBatch {
  /** Counted from 0 in its log. */
  readonly number: number;
  readonly baseOffset: number;
  /** Offset of the last record, also if compaction has removed it. */
  readonly lastOffset: number;
  /** Epoch of the leader that took it. */
  readonly epoch: number;
  readonly bytes: Buffer;
  readonly records: readonly StoredRecord[];
  /** -1 = not idempotent. */
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  /** The largest time of its records. */
  readonly lastMs: number;
}

/** A batch from a client, before any check of its records. */
export interface ReceivedBatch {
  readonly bytes: Buffer;
  readonly codec: number;
  readonly magic: number;
  readonly baseOffset: number;
  readonly isWhole: boolean;
  /** Number of records by their offsets. Sequences count by it. */
  readonly span: number;
  readonly count: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly attributes: number;
}

/** @returns undefined if the bytes are not exactly one batch */
export function receive(bytes: Buffer): ReceivedBatch | undefined {
  if (bytes.length < HEADER_BYTES || bytes.readInt32BE(AT.length) + LENGTH_OFFSET !== bytes.length)
    return undefined;
  const attributes = bytes.readInt16BE(AT.attributes);
  return {
    bytes,
    attributes,
    codec: attributes & CODEC_BITS,
    magic: bytes.readInt8(16),
    baseOffset: Number(bytes.readBigInt64BE(0)),
    isWhole:
      bytes.readInt8(16) === MAGIC && bytes.readUInt32BE(AT.crc) === crc32c(bytes.subarray(AT.attributes)),
    span: bytes.readInt32BE(23) + 1,
    count: bytes.readInt32BE(AT.count),
    producerId: bytes.readBigInt64BE(43),
    producerEpoch: bytes.readInt16BE(51),
    firstSequence: bytes.readInt32BE(53),
  };
}

/** The records with offsets from 0 on, as of batch 0. @throws Error if they cannot be read */
export function recordsOf({ bytes, codec, count }: ReceivedBatch): StoredRecord[] {
  const baseMs = Number(bytes.readBigInt64BE(AT.baseTimestamp));
  return readRecords(unpack(codec, bytes.subarray(HEADER_BYTES)), count).map((record) => ({
    offset: record.offsetDelta,
    timestampMs: baseMs + record.timestampDelta,
    key: record.key,
    value: record.value,
    headers: record.headers,
    batch: 0,
  }));
}

/** @param appendMs the broker's clock if the topic has LogAppendTime */
export function store(
  { bytes, producerId, producerEpoch, firstSequence }: ReceivedBatch,
  records: readonly StoredRecord[],
  at: { number: number; baseOffset: number; epoch: number; appendMs: number | undefined },
): StoredBatch {
  const { number, baseOffset, epoch, appendMs } = at;
  const kept = Buffer.from(bytes);
  kept.writeBigInt64BE(BigInt(baseOffset), 0);
  kept.writeInt32BE(epoch, AT.epoch);
  if (appendMs !== undefined) {
    kept.writeInt16BE(kept.readInt16BE(AT.attributes) | LOG_APPEND_TIME, AT.attributes);
    kept.writeBigInt64BE(BigInt(appendMs), AT.maxTimestamp);
    kept.writeUInt32BE(crc32c(kept.subarray(AT.attributes)), AT.crc);
  }
  return {
    number,
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(23),
    epoch,
    bytes: kept,
    records: records.map((record) => ({
      ...record,
      offset: baseOffset + record.offset,
      timestampMs: appendMs ?? record.timestampMs,
      batch: number,
    })),
    producerId,
    producerEpoch,
    firstSequence,
    lastMs: Number(kept.readBigInt64BE(AT.maxTimestamp)),
  };
}

/** The batch with some of its records only, as compaction leaves it; its offsets and sequence stay. */
export function thinned(batch: StoredBatch, keeps: (record: StoredRecord) => boolean): StoredBatch {
  const records = batch.records.filter(keeps);
  if (records.length === batch.records.length) return batch;
  const codec = batch.bytes.readInt16BE(AT.attributes) & CODEC_BITS;
  const offsets = new Set(records.map(({ offset }) => offset));
  const packed = batch.bytes.subarray(HEADER_BYTES);
  const raw = readRecords(unpack(codec, packed), batch.records.length)
    .filter((_, i) => offsets.has(batch.records[i]?.offset ?? -1))
    .map((record) => record.raw);
  const bytes = Buffer.concat([batch.bytes.subarray(0, HEADER_BYTES), ...raw]);
  bytes.writeInt16BE(bytes.readInt16BE(AT.attributes) & ~CODEC_BITS, AT.attributes);
  bytes.writeInt32BE(bytes.length - LENGTH_OFFSET, AT.length);
  bytes.writeInt32BE(records.length, AT.count);
  bytes.writeUInt32BE(crc32c(bytes.subarray(AT.attributes)), AT.crc);
  return { ...batch, bytes, records };
}
