// Writes Kafka's record batches, magic 2 (https://kafka.apache.org/documentation/#recordbatch).
//
// - Header of 61 bytes: base offset, length, leader epoch, magic, CRC, attributes, last offset delta, two timestamps,
//   producer id, producer epoch, base sequence, count. The records follow, compressed as a whole.
// - A record is encoded once, straight into its batch's memory. Nothing touches single records afterwards.
// - The CRC covers everything from the attributes on, so stamp() computes it last.
// - A batch that was sent keeps its bytes: every retry sends the same ones.

import { crc32c } from '../../checksum/crc32c.ts';
import { copyCompact } from '../../protocol/metrics-scan.ts';
import type { RecordFrame } from '../../protocol/record-frame.ts';
import { batchBuffers } from './buffer-pool.ts';
import type { Codec } from './compression.ts';
import { RecordChunks } from './record-chunks.ts';
import { varintBytes, writeVarint } from './varint.ts';

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
/** The length field counts the bytes after it. */
const LENGTH_OFFSET = 12;

/** Upper bound of a record's other fields than key and value: lengths, deltas, attributes, header count. */
const MAX_RECORD_OVERHEAD = 32;

/** A producer's identity, from InitProducerId. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** The producer's identity and sequence in a batch. */
export interface ProducerStamp extends ProducerIdentity {
  readonly baseSequence: number;
}

/** Stamp of a producer that is not idempotent. */
export const NO_PRODUCER: ProducerStamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1 };

const NO_HEADERS = new Uint8Array(1);

/** The part of a record's value after its head: bytes[start, end), less `whitespace` bytes between its tokens. */
export interface ReadingToWrite {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly whitespace: number;
  readonly receivedAtMs: number;
  /** Of this record alone. Undefined if the frame's key is the record's. */
  readonly key?: Buffer | undefined;
  /** For a record that belongs to a trace: the value of the header. */
  readonly traceparent?: Uint8Array | undefined;
}

/** A compressed batch, not yet stamped. */
export interface SealedBatch {
  readonly bytes: Buffer;
  /** The buffer behind `bytes`. Give it to batchBuffers when nobody reads the bytes any more. */
  readonly memory: Buffer;
}

/** Upper bound of a record's size. @param readingBytes bytes of its value between the frame's head and tail */
export function recordBound(frame: RecordFrame, readingBytes: number, key = frame.key): number {
  return MAX_RECORD_OVERHEAD + key.length + frame.aroundBytes + readingBytes;
}

/** Encodes the records of one batch. */
export class RecordBatchWriter {
  readonly #chunks: RecordChunks;
  #count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;
  #sealed = false;

  /** @param bytes expected size of the records, a hint */
  constructor(bytes: number) {
    this.#chunks = new RecordChunks(bytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Size so far, header included, before compression. */
  get bytes(): number {
    return HEADER_BYTES + this.#chunks.bytes;
  }

  /** Appends a reading's record; returns its size in bytes. */
  append(frame: RecordFrame, reading: ReadingToWrite): number {
    const readingBytes = reading.end - reading.start - reading.whitespace;
    const { headBytes, tail } = frame;
    const key = reading.key ?? frame.key;
    this.#chunks.reserve(recordBound(frame, readingBytes, key));
    const { target } = this.#chunks;
    const timestampDelta = this.#timestampDelta(reading.receivedAtMs);
    const headers = frame.headers?.next(reading.receivedAtMs, reading.traceparent) ?? NO_HEADERS;
    const valueBytes = headBytes + readingBytes + tail.length;
    const bodyBytes =
      1 +
      varintBytes(timestampDelta) +
      varintBytes(this.#count) +
      varintBytes(key.length) +
      key.length +
      varintBytes(valueBytes) +
      valueBytes +
      headers.length;

    let at = writeVarint(target, this.#chunks.at, bodyBytes);
    target[at++] = 0;
    at = writeVarint(target, at, timestampDelta);
    at = writeVarint(target, at, this.#count);
    at = writeVarint(target, at, key.length);
    // A key is so short that a loop costs less than `set`.
    for (let i = 0; i < key.length; i++) target[at++] = key[i] as number;
    at = writeVarint(target, at, valueBytes);
    target.set(frame.head(reading.receivedAtMs), at);
    at += headBytes;
    if (reading.whitespace > 0) {
      at = copyCompact(reading.bytes, reading.start, reading.end, target, at);
    } else {
      target.set(reading.bytes.subarray(reading.start, reading.end), at);
      at += readingBytes;
    }
    if (tail.length > 0) {
      target.set(tail, at);
      at += tail.length;
    }
    if (headers === NO_HEADERS) {
      target[at++] = 0;
    } else {
      target.set(headers, at);
      at += headers.length;
    }
    this.#count++;
    return this.#chunks.written(at);
  }

  /** Appends an encoded record body (record-body.ts). Offset and timestamp are written for this batch. */
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

  /** Compresses the records into a batch, at once unless the codec is async. @throws Error on a second call: the writer has no records any more */
  seal(codec: Codec): SealedBatch | Promise<SealedBatch> {
    if (this.#sealed) throw new Error('the batch is sealed already');
    this.#sealed = true;
    const records = this.#chunks.parts();
    const compressed = codec.compress(records);
    if (compressed instanceof Promise) return compressed.then((parts) => this.#finish(codec, records, parts));
    return this.#finish(codec, records, compressed);
  }

  #finish(codec: Codec, records: readonly Buffer[], compressed: readonly Buffer[]): SealedBatch {
    // Each batch names its codec, so records that compression would make larger stay as they are.
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
    // The clock may have been set back: a negative delta is allowed.
    return timestampMs - this.#baseTimestamp;
  }

  #writeHeader(batch: Buffer, codecId: number): void {
    writeInt64(batch, 0, 0);
    batch.writeInt32BE(batch.length - LENGTH_OFFSET, AT.length);
    batch.writeInt32BE(-1, AT.leaderEpoch);
    batch.writeInt8(2, AT.magic);
    batch.writeInt16BE(codecId, AT.attributes);
    batch.writeInt32BE(this.#count - 1, AT.lastOffsetDelta);
    writeInt64(batch, this.#baseTimestamp, AT.baseTimestamp);
    writeInt64(batch, this.#maxTimestamp, AT.maxTimestamp);
    batch.writeInt32BE(this.#count, AT.count);
  }
}

/** Costs a fraction of a BigInt. @param value a safe integer */
function writeInt64(batch: Buffer, value: number, at: number): void {
  batch.writeInt32BE(Math.floor(value / 2 ** 32), at);
  batch.writeUInt32BE(value >>> 0, at + 4);
}

function bytesOf(parts: readonly Buffer[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}

const SEQUENCES = 2 ** 31;

/** The sequence after `count` records. Kafka's sequences have 31 bits and start again at 0; `count` may exceed them. */
export function nextSequence(sequence: number, count: number): number {
  return (sequence + count) % SEQUENCES;
}

/** The header fields that are needed to read a batch's records. */
export function readBatchFields(batch: Buffer): { codecId: number; baseTimestampMs: number } {
  return {
    codecId: batch.readInt16BE(AT.attributes) & 7,
    baseTimestampMs: Number(batch.readBigInt64BE(AT.baseTimestamp)),
  };
}

/** The timestamps in a batch's header: that of its first record and the latest, in milliseconds since 1970. */
export function readTimes(batch: Buffer): { firstMs: number; lastMs: number } {
  return {
    firstMs: Number(batch.readBigInt64BE(AT.baseTimestamp)),
    lastMs: Number(batch.readBigInt64BE(AT.maxTimestamp)),
  };
}

/** The identity in a batch's header. */
export function readStamp(batch: Buffer): ProducerStamp {
  return {
    producerId: batch.readBigInt64BE(AT.producerId),
    producerEpoch: batch.readInt16BE(AT.producerEpoch),
    baseSequence: batch.readInt32BE(AT.baseSequence),
  };
}

/** Moves all timestamps so that the latest is `nowMs`. Call it before stamp(), which computes the CRC. */
export function stampTime(batch: Buffer, nowMs: number): void {
  const span = batch.readBigInt64BE(AT.maxTimestamp) - batch.readBigInt64BE(AT.baseTimestamp);
  batch.writeBigInt64BE(BigInt(nowMs) - span, AT.baseTimestamp);
  batch.writeBigInt64BE(BigInt(nowMs), AT.maxTimestamp);
}

/** Writes the producer's identity, then the CRC. */
export function stamp(batch: Buffer, producer: ProducerStamp): void {
  batch.writeBigInt64BE(producer.producerId, AT.producerId);
  batch.writeInt16BE(producer.producerEpoch, AT.producerEpoch);
  batch.writeInt32BE(producer.baseSequence, AT.baseSequence);
  batch.writeUInt32BE(crc32c(batch.subarray(AT.attributes)), AT.crc);
}

/** The partition that a batch was gathered for, and the topic's number of partitions then. */
export interface GatheredFor {
  readonly partition: number;
  readonly partitions: number;
}

/**
 * Stamps a batch that waits on disk and is never sent as it is. The producer fields hold `gatheredFor`: the producer id
 * is -1 minus the number of partitions, and the base sequence is the partition.
 */
export function stampUnsent(batch: Buffer, gatheredFor: GatheredFor | undefined): void {
  const { partition = -1, partitions = 0 } = gatheredFor ?? {};
  stamp(batch, { producerId: BigInt(-1 - partitions), producerEpoch: -1, baseSequence: partition });
}

/** Reads the fields of stampUnsent(). Undefined if the batch was gathered for no partition. */
export function gatheredFor(batch: Buffer): GatheredFor | undefined {
  const { producerId, baseSequence: partition } = readStamp(batch);
  return producerId < -1n ? { partition, partitions: Number(-1n - producerId) } : undefined;
}
