// Reads the records of a batch, once they are unpacked (https://kafka.apache.org/documentation/#record). It is written
// from the specification and shares no code with the gateway, whose batches it judges.

export interface PlainRecord {
  readonly attributes: number;
  readonly timestampDelta: number;
  readonly offsetDelta: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
  /** The record with the length before it. */
  readonly raw: Buffer;
}

/** @throws Error if there are not exactly so many records, or one does not end at its length */
export function readRecords(unpacked: Buffer, count: number): PlainRecord[] {
  const fields = new Fields(unpacked);
  const records = Array.from({ length: count }, () => fields.record());
  if (fields.left !== 0) throw new Error(`${fields.left} bytes after the last record`);
  return records;
}

class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  record(): PlainRecord {
    const start = this.#at;
    const length = this.#varint();
    const end = this.#at + length;
    const attributes = this.#bytes.readInt8(this.#at++);
    const [timestampDelta, offsetDelta] = [this.#varint(), this.#varint()];
    const [key, value] = [this.#slice(), this.#slice()];
    const headers = Array.from(
      { length: this.#varint() },
      () => [this.#slice()?.toString() ?? '', this.#slice()] as const,
    );
    if (this.#at !== end) throw new Error(`a record of ${length} bytes ends ${this.#at - end} bytes off`);
    const raw = this.#bytes.subarray(start, end);
    return { attributes, timestampDelta, offsetDelta, key, value, headers, raw };
  }

  #slice(): Buffer | null {
    const length = this.#varint();
    if (length < 0) return null;
    const at = this.#at;
    if (at + length > this.#bytes.length) throw new RangeError('a record is cut off');
    this.#at += length;
    return this.#bytes.subarray(at, this.#at);
  }

  /** Signed by zigzag; exact up to 2^53. */
  #varint(): number {
    let raw = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes.readUInt8(this.#at++);
      raw += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
    }
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }
}
