// Reading back what record-batch.ts writes: a batch's header in a file, its checks, and where to look for the
// next one after damage. Format: https://kafka.apache.org/documentation/#recordbatch
import { crc32c } from './crc32c.ts';

export const HEADER_BYTES = 61;
const LENGTH_OFFSET = 12;
const CRC_FROM = 21;
/** No batch is larger: KAFKA_BATCH_BYTES goes up to 16 MiB. */
export const MAX_BATCH_BYTES = 64 * 2 ** 20;

export interface BatchHeader {
  readonly baseOffset: number;
  /** The whole batch's bytes, header included. */
  readonly bytes: number;
  readonly count: number;
  readonly maxTimestampMs: number;
  /** -1n where the batch was never given a producer. */
  readonly producerId: bigint;
}

/**
 * The header at `at`, or undefined where these bytes cannot be one. Needs HEADER_BYTES of the buffer; says
 * nothing about the records behind it.
 */
export function readHeader(buffer: Buffer, at: number): BatchHeader | undefined {
  if (buffer.length - at < HEADER_BYTES) return undefined;
  const bytes = lengthField(buffer, at);
  const count = buffer.readInt32BE(at + 57);
  if (bytes <= HEADER_BYTES || bytes > MAX_BATCH_BYTES || buffer[at + 16] !== 2) return undefined;
  if (count <= 0 || buffer.readInt32BE(at + 23) !== count - 1) return undefined;
  return {
    baseOffset: Number(buffer.readBigInt64BE(at)),
    bytes,
    count,
    maxTimestampMs: Number(buffer.readBigInt64BE(at + 35)),
    producerId: buffer.readBigInt64BE(at + 43),
  };
}

/** The batch's whole length as its header says, right or wrong. */
export function lengthField(buffer: Buffer, at = 0): number {
  return buffer.readInt32BE(at + 8) + LENGTH_OFFSET;
}

/** True where the batch's bytes are those that were written. */
export function isIntact(batch: Buffer): boolean {
  return batch.readUInt32BE(17) === crc32c(batch.subarray(CRC_FROM));
}

// A leader epoch of -1 and the magic byte stand in every batch we write: five bytes to search for.
const SIGNATURE = Buffer.from([0xff, 0xff, 0xff, 0xff, 2]);
const SIGNATURE_AT = 12;

/** The first position at or after `from` where a batch may begin, or -1. */
export function findBatch(buffer: Buffer, from: number): number {
  const found = buffer.indexOf(SIGNATURE, from + SIGNATURE_AT);
  return found < 0 ? -1 : found - SIGNATURE_AT;
}
