// Reads Kafka's record batches for tests. It is written from the specification
// (https://kafka.apache.org/documentation/#recordbatch) and shares no code with the writer that it judges.

/** @param decompress turns the bytes after the header into the records */
export function decodeBatch(batch: Buffer, decompress = (bytes: Buffer) => bytes) {
  const baseTimestamp = batch.readBigInt64BE(27);
  const count = batch.readInt32BE(57);
  const reader = new Reader(decompress(batch.subarray(61)));
  const records = Array.from({ length: count }, () => reader.record(baseTimestamp));
  if (reader.left !== 0) throw new Error(`${reader.left} bytes after the last record`);
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

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  record(baseTimestamp: bigint) {
    const length = Number(this.#varint());
    const end = this.#at + length;
    const attributes = this.#bytes.readInt8(this.#at++);
    const timestamp = baseTimestamp + this.#varint();
    const offsetDelta = Number(this.#varint());
    const key = this.#text();
    const value = this.#text();
    const headers = Number(this.#varint());
    for (let i = 0; i < 2 * headers; i++) this.#text();
    if (this.#at !== end) throw new Error(`a record of ${length} bytes ends ${this.#at - end} bytes off`);
    return { attributes, timestamp, offsetDelta, key, value, headers };
  }

  #text(): string | null {
    const length = Number(this.#varint());
    if (length < 0) return null;
    const text = this.#bytes.toString('utf8', this.#at, this.#at + length);
    this.#at += length;
    return text;
  }

  #varint(): bigint {
    let raw = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#bytes.readUInt8(this.#at++);
      raw |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return (raw >> 1n) ^ -(raw & 1n);
  }
}
