// Kafka's record batch, magic 2 (https://kafka.apache.org/documentation/#recordbatch): how records become bytes.
//
// - A record is encoded once, straight into its batch's memory; nothing afterwards touches single records.
// - The 61-byte header lies in front: base offset, length, leader epoch, magic, CRC, attributes, last offset
//   delta, timestamps, producer id, epoch, base sequence, count.
// - The CRC covers everything from the attributes on, so it is computed last, in stamp().
// - Once stamped, a batch's bytes never change: every retry sends the same ones.

import { copyCompact } from '../../protocol/metrics-scan.ts';
import type { RecordFrame } from '../../protocol/record-frame.ts';
import { crc32c } from '../../spool/crc32c.ts';
import { batchBuffers } from './buffer-pool.ts';
import type { Codec } from './compression.ts';
import { RecordChunks } from './record-chunks.ts';

export const HEADER_BYTES = 61;
const AT = {
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
} as const;
/** The length field counts what follows it. */
const LENGTH_OFFSET = 12;

/** Bytes of a record around its key and value at most: lengths, deltas, attributes, header count. */
const MAX_RECORD_OVERHEAD = 32;

/** A producer's identity in a batch; the three of NO_PRODUCER mean "not idempotent". */
export interface ProducerStamp {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

export const NO_PRODUCER: ProducerStamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1 };

/** The part of a record's value after its head: bytes[start, end) without the white space between its tokens. */
export interface ReadingToWrite {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly whitespace: number;
  readonly receivedAtMs: number;
}

/** A batch as it is sent, not yet stamped. */
export interface SealedBatch {
  readonly bytes: Buffer;
  /** What the bytes lie in, for batchBuffers when nobody reads them any more. */
  readonly memory: Buffer;
}

/** What a record with so many bytes after its value's head needs in a batch's memory at most. */
export function recordBound(frame: RecordFrame, tailBytes: number): number {
  return MAX_RECORD_OVERHEAD + frame.key.length + frame.headBytes + tailBytes;
}

/** Records being gathered for one partition. */
export class RecordBatchWriter {
  readonly #chunks: RecordChunks;
  #count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;
  #sealed = false;

  /** @param bytes about so many are to come */
  constructor(bytes: number) {
    this.#chunks = new RecordChunks(bytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes so far, header included, uncompressed. */
  get bytes(): number {
    return HEADER_BYTES + this.#chunks.bytes;
  }

  /** Appends a reading's record; returns its size in bytes. */
  append(frame: RecordFrame, reading: ReadingToWrite): number {
    const tailBytes = reading.end - reading.start - reading.whitespace;
    this.#chunks.reserve(recordBound(frame, tailBytes));
    const { target } = this.#chunks;
    const timestampDelta = this.#timestampDelta(reading.receivedAtMs);
    const { key, headBytes } = frame;
    const valueBytes = headBytes + tailBytes;
    const bodyBytes =
      1 +
      varintBytes(timestampDelta) +
      varintBytes(this.#count) +
      varintBytes(key.length) +
      key.length +
      varintBytes(valueBytes) +
      valueBytes +
      1;

    let at = writeVarint(target, this.#chunks.at, bodyBytes);
    target[at++] = 0;
    at = writeVarint(target, at, timestampDelta);
    at = writeVarint(target, at, this.#count);
    at = writeVarint(target, at, key.length);
    // A few bytes, for which `set` costs more.
    for (let i = 0; i < key.length; i++) target[at++] = key[i] as number;
    at = writeVarint(target, at, valueBytes);
    target.set(frame.head(reading.receivedAtMs), at);
    at += headBytes;
    if (reading.whitespace > 0) {
      at = copyCompact(reading.bytes, reading.start, reading.end, target, at);
    } else {
      target.set(reading.bytes.subarray(reading.start, reading.end), at);
      at += tailBytes;
    }
    target[at++] = 0;
    this.#count++;
    return this.#chunks.written(at);
  }

  /** Appends a record as another batch held it: key, value and headers stay, offset and time are its own. */
  appendRaw(timestampMs: number, body: Uint8Array): number {
    this.#chunks.reserve(MAX_RECORD_OVERHEAD + body.length);
    const { target } = this.#chunks;
    const timestampDelta = this.#timestampDelta(timestampMs);
    const bodyBytes = 1 + varintBytes(timestampDelta) + varintBytes(this.#count) + body.length;
    let at = writeVarint(target, this.#chunks.at, bodyBytes);
    target[at++] = 0;
    at = writeVarint(target, at, timestampDelta);
    at = writeVarint(target, at, this.#count);
    target.set(body, at);
    this.#count++;
    return this.#chunks.written(at + body.length);
  }

  /** The batch with its records compressed, not yet stamped. Once; afterwards the writer has no records. */
  async seal(codec: Codec): Promise<SealedBatch> {
    if (this.#sealed) throw new Error('the batch is sealed already');
    this.#sealed = true;
    const records = this.#chunks.parts();
    const compressed = await codec.compress(records);
    // If compression does not pay, the records stay as they are: the codec is named in each batch.
    const pays = codec.id !== 0 && bytesOf(compressed) < this.#chunks.bytes;
    const parts = pays ? compressed : records;
    const length = HEADER_BYTES + bytesOf(parts);
    const memory = batchBuffers.take(length);
    const bytes = memory.subarray(0, length);
    let at = HEADER_BYTES;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#writeHeader(bytes, pays ? codec.id : 0);
    this.#chunks.free();
    return { bytes, memory };
  }

  #timestampDelta(timestampMs: number): number {
    if (this.#count === 0) {
      this.#baseTimestamp = timestampMs;
      this.#maxTimestamp = timestampMs;
    }
    if (timestampMs > this.#maxTimestamp) this.#maxTimestamp = timestampMs;
    // A clock set back gives a negative delta, which the format allows.
    return timestampMs - this.#baseTimestamp;
  }

  #writeHeader(batch: Buffer, codecId: number): void {
    batch.writeBigInt64BE(0n, 0);
    batch.writeInt32BE(batch.length - LENGTH_OFFSET, AT.length);
    batch.writeInt32BE(-1, AT.leaderEpoch);
    batch.writeInt8(2, AT.magic);
    batch.writeInt16BE(codecId, AT.attributes);
    batch.writeInt32BE(this.#count - 1, AT.lastOffsetDelta);
    batch.writeBigInt64BE(BigInt(this.#baseTimestamp), AT.baseTimestamp);
    batch.writeBigInt64BE(BigInt(this.#maxTimestamp), AT.maxTimestamp);
    batch.writeInt32BE(this.#count, AT.count);
  }
}

function bytesOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

const SEQUENCES = 2 ** 31;

/** Kafka's sequence arithmetic: a sequence has 31 bits and starts again at 0. `count` may be larger than that. */
export function nextSequence(sequence: number, count: number): number {
  return (sequence + count) % SEQUENCES;
}

/** What is needed to read a sealed batch's records. */
export function readBatchFields(batch: Buffer): { codecId: number; baseTimestampMs: number } {
  return {
    codecId: batch.readInt16BE(AT.attributes) & 7,
    baseTimestampMs: Number(batch.readBigInt64BE(AT.baseTimestamp)),
  };
}

/** The identity a stamped batch carries. */
export function readStamp(batch: Buffer): ProducerStamp {
  return {
    producerId: batch.readBigInt64BE(AT.producerId),
    producerEpoch: batch.readInt16BE(AT.producerEpoch),
    baseSequence: batch.readInt32BE(AT.baseSequence),
  };
}

/** Moves the times of the records, so that the latest is `nowMs`. Before stamp(), which computes the checksum. */
export function stampTime(batch: Buffer, nowMs: number): void {
  const span = batch.readBigInt64BE(AT.maxTimestamp) - batch.readBigInt64BE(AT.baseTimestamp);
  batch.writeBigInt64BE(BigInt(nowMs) - span, AT.baseTimestamp);
  batch.writeBigInt64BE(BigInt(nowMs), AT.maxTimestamp);
}

/** Writes the producer's identity and, last, the checksum. */
export function stamp(batch: Buffer, producer: ProducerStamp): void {
  batch.writeBigInt64BE(producer.producerId, AT.producerId);
  batch.writeInt16BE(producer.producerEpoch, AT.producerEpoch);
  batch.writeInt32BE(producer.baseSequence, AT.baseSequence);
  batch.writeUInt32BE(crc32c(batch.subarray(AT.attributes)), AT.crc);
}

/** The partition that a batch was gathered for, and how many the topic had then. */
export interface GatheredFor {
  readonly partition: number;
  readonly partitions: number;
}

/** Stamps a batch that is not to be sent as it is. The fields of its producer say what it was gathered for. */
export function stampUnsent(batch: Buffer, gatheredFor: GatheredFor | undefined): void {
  const { partition = -1, partitions = 0 } = gatheredFor ?? {};
  stamp(batch, { producerId: BigInt(-1 - partitions), producerEpoch: -1, baseSequence: partition });
}

/** Undefined if the batch was gathered for no partition. */
export function gatheredFor(batch: Buffer): GatheredFor | undefined {
  const { producerId, baseSequence: partition } = readStamp(batch);
  return producerId < -1n ? { partition, partitions: Number(-1n - producerId) } : undefined;
}

/** The records of an uncompressed batch body, each as its time and its bytes from the key's length on. */
export function forEachRecord(
  records: Uint8Array,
  baseTimestamp: number,
  visit: (timestampMs: number, body: Uint8Array) => void,
): void {
  const cursor = { at: 0 };
  while (cursor.at < records.length) {
    const length = readVarint(records, cursor);
    const end = cursor.at + length;
    cursor.at++;
    const timestamp = baseTimestamp + readVarint(records, cursor);
    readVarint(records, cursor);
    visit(timestamp, records.subarray(cursor.at, end));
    cursor.at = end;
  }
}

/** The key of a record's bytes as forEachRecord hands them out. */
export function keyOf(body: Uint8Array): Uint8Array {
  const cursor = { at: 0 };
  const length = readVarint(body, cursor);
  return body.subarray(cursor.at, cursor.at + Math.max(0, length));
}

export function isKeyless(body: Uint8Array): boolean {
  return readVarint(body, { at: 0 }) < 0;
}

/** Key and value of a record's bytes as forEachRecord hands them out. */
export function recordParts(body: Uint8Array): { key: Uint8Array; value: Buffer } {
  const cursor = { at: 0 };
  const keyBytes = Math.max(0, readVarint(body, cursor));
  const key = body.subarray(cursor.at, cursor.at + keyBytes);
  cursor.at += keyBytes;
  const valueBytes = Math.max(0, readVarint(body, cursor));
  return { key, value: Buffer.from(body.subarray(cursor.at, cursor.at + valueBytes)) };
}

/** The headers of a record's bytes as forEachRecord hands them out. */
export function recordHeaders(body: Uint8Array): Record<string, string> {
  const cursor = { at: 0 };
  const next = () => {
    const bytes = Math.max(0, readVarint(body, cursor));
    cursor.at += bytes;
    return body.subarray(cursor.at - bytes, cursor.at);
  };
  const text = () => Buffer.from(next()).toString();
  // Key and value come first.
  next();
  next();
  const count = readVarint(body, cursor);
  return Object.fromEntries(Array.from({ length: count }, () => [text(), text()]));
}

/** A record's bytes from the key's length on, for appendRaw: null key, value, headers. */
export function encodeBody(value: Uint8Array, headers: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(headers).map(
    ([name, text]) => [Buffer.from(name), Buffer.from(text)] as const,
  );
  const bound = entries.reduce(
    (sum, [name, text]) => sum + name.length + text.length + 10,
    value.length + 16,
  );
  const body = Buffer.alloc(bound);
  let at = writeVarint(body, 0, -1);
  at = writeVarint(body, at, value.length);
  body.set(value, at);
  at = writeVarint(body, at + value.length, entries.length);
  for (const [name, text] of entries) {
    at = writeVarint(body, at, name.length);
    body.set(name, at);
    at = writeVarint(body, at + name.length, text.length);
    body.set(text, at);
    at += text.length;
  }
  return body.subarray(0, at);
}

// Zigzag, seven bits a byte. Plain arithmetic beyond 31 bits: a timestamp delta may span years.
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

function varintBytes(value: number): number {
  let rest = zigzag(value);
  let bytes = 1;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    bytes++;
  }
  return bytes;
}

function writeVarint(target: Uint8Array, from: number, value: number): number {
  let rest = zigzag(value);
  let at = from;
  while (rest >= 0x80) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[at++] = rest;
  return at;
}

function readVarint(source: Uint8Array, cursor: { at: number }): number {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = source[cursor.at++];
    if (byte === undefined) throw new RangeError('the records end in the middle of a number');
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 0x80;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
