// Reads the fields of an answer's body one after the other (https://kafka.apache.org/protocol#protocol_types). A count
// that is larger than the body allows ends in a RangeError, and never in a long loop.

export class BodyReader {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  int8(): number {
    return this.#body.readInt8(this.#move(1));
  }

  int16(): number {
    return this.#body.readInt16BE(this.#move(2));
  }

  int32(): number {
    return this.#body.readInt32BE(this.#move(4));
  }

  /** A time or an offset: always exact as a double. */
  int64(): number {
    return Number(this.#body.readBigInt64BE(this.#move(8)));
  }

  string(): string | null {
    return this.#text(this.int16());
  }

  compactString(): string | null {
    return this.#text(this.#varint() - 1);
  }

  array<T>(read: () => T): T[] {
    return this.#items(this.int32(), read);
  }

  compactArray<T>(read: () => T): T[] {
    return this.#items(this.#varint() - 1, read);
  }

  /** Fields of newer versions. They are passed over. */
  tags(): void {
    for (let left = this.#varint(); left > 0; left--) {
      this.#varint();
      this.#move(this.#varint());
    }
  }

  #text(bytes: number): string | null {
    if (bytes < 0) return null;
    const from = this.#move(bytes);
    return this.#body.toString('utf8', from, from + bytes);
  }

  #items<T>(count: number, read: () => T): T[] {
    const items: T[] = [];
    for (let left = count; left > 0; left--) items.push(read());
    return items;
  }

  /** Unsigned, at most 5 bytes. */
  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#body.readUInt8(this.#move(1));
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number in the answer has more than 5 bytes');
  }

  /** @returns the place before */
  #move(bytes: number): number {
    const before = this.#at;
    if (bytes < 0 || before + bytes > this.#body.length) throw new RangeError('the answer is cut off');
    this.#at += bytes;
    return before;
  }
}
