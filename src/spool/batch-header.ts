// Reads the header of a record batch in a file, checks the batch, and finds the next one after damage.
// Format: https://kafka.apache.org/documentation/#recordbatch, written by record-batch.ts.
import { crc32c } from '../checksum/crc32c.ts';

export const HEADER_BYTES = 61;
const LENGTH_OFFSET = 12;
const EPOCH_AT = 12;
const MAGIC_AT = 16;
const MAGIC = 2;
const CRC_FROM = 21;
const LAST_OFFSET_AT = 23;
const COUNT_AT = 57;
/** No batch of ours is larger: KAFKA_BATCH_BYTES is at most 16 MiB. */
export const MAX_BATCH_BYTES = 64 * 2 ** 20;

export interface BatchHeader {
  readonly baseOffset: number;
  /** The whole batch's bytes, header included. */
  readonly bytes: number;
  readonly count: number;
  readonly maxTimestampMs: number;
  /** -1n if the batch was never given a producer. */
  readonly producerId: bigint;
}

/**
 * The header at `at`, or undefined if the HEADER_BYTES there cannot be one. The records behind the header are not
 * checked.
 */
export function readHeader(buffer: Buffer, at: number): BatchHeader | undefined {
  if (buffer.length - at < HEADER_BYTES) return undefined;
  const bytes = lengthField(buffer, at);
  const count = buffer.readInt32BE(at + COUNT_AT);
  if (!fits(bytes, MAX_BATCH_BYTES) || buffer[at + MAGIC_AT] !== MAGIC || !countsAgree(buffer, at))
    return undefined;
  return {
    baseOffset: Number(buffer.readBigInt64BE(at)),
    bytes,
    count,
    maxTimestampMs: Number(buffer.readBigInt64BE(at + 35)),
    producerId: buffer.readBigInt64BE(at + 43),
  };
}

/** The length of the whole batch by its header, which may be damaged. */
export function lengthField(buffer: Buffer, at = 0): number {
  return buffer.readInt32BE(at + 8) + LENGTH_OFFSET;
}

/** True if the batch matches its checksum. */
export function isIntact(batch: Buffer): boolean {
  return batch.readUInt32BE(17) === crc32c(batch.subarray(CRC_FROM));
}

/** The number of records, and the offset of the last one. */
function countsAgree(buffer: Buffer, at: number): boolean {
  const count = buffer.readInt32BE(at + COUNT_AT);
  return count > 0 && buffer.readInt32BE(at + LAST_OFFSET_AT) === count - 1;
}

const SIGNS_OF_HEADER = 3;

/**
 * The position of the first header, or -1. Each header of ours has a leader epoch of -1, the magic byte, a length that fits
 * into the file, and counts that agree. One of these four may be damaged.
 * @param room bytes from the start of the buffer to the end of the file
 */
export function findHeader(buffer: Buffer, room: number): number {
  for (let at = 0; at + HEADER_BYTES <= buffer.length; at++) {
    const isMagic = buffer[at + MAGIC_AT] === MAGIC;
    // Most positions have neither, and this is asked for each byte.
    if (!isMagic && buffer[at + EPOCH_AT] !== 0xff) continue;
    const signs =
      Number(isMagic) +
      Number(buffer.readInt32BE(at + EPOCH_AT) === -1) +
      Number(fits(lengthField(buffer, at), room - at)) +
      Number(countsAgree(buffer, at));
    if (signs >= SIGNS_OF_HEADER) return at;
  }
  return -1;
}

/** @param length of the whole batch by its header */
export function fits(length: number, room: number): boolean {
  return length > HEADER_BYTES && length <= room;
}
