// Fields of Kafka's protocol (https://kafka.apache.org/protocol#protocol_types), written and read one after the other. It
// shares no code with the gateway, which simulated brokers judge.

/** Makes a body. Each method appends one field. */
export class Writer {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    return this.#number(1, (bytes) => bytes.writeInt8(value));
  }

  int16(value: number): this {
    return this.#number(2, (bytes) => bytes.writeInt16BE(value));
  }

  int32(value: number): this {
    return this.#number(4, (bytes) => bytes.writeInt32BE(value));
  }

  int64(value: bigint | number): this {
    return this.#number(8, (bytes) => bytes.writeBigInt64BE(BigInt(value)));
  }

  string(text: string | null): this {
    if (text === null) return this.int16(-1);
    const bytes = Buffer.from(text);
    return this.int16(bytes.length).raw(bytes);
  }

  /** Bytes after their number. */
  bytes(bytes: Buffer): this {
    return this.int32(bytes.length).raw(bytes);
  }

  array<T>(items: readonly T[], write: (writer: this, item: T) => unknown): this {
    this.int32(items.length);
    for (const item of items) write(this, item);
    return this;
  }

  raw(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }

  get buffer(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #number(size: number, write: (bytes: Buffer) => void): this {
    const bytes = Buffer.alloc(size);
    write(bytes);
    this.#parts.push(bytes);
    return this;
  }
}

/** Reads a body. Each method throws RangeError past its end. */
export class Reader {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  get left(): number {
    return this.#body.length - this.#at;
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

  /** Exact as a double for every offset and time. */
  int64(): number {
    return Number(this.bigint());
  }

  bigint(): bigint {
    return this.#body.readBigInt64BE(this.#move(8));
  }

  string(): string {
    return this.nullableString() ?? '';
  }

  nullableString(): string | null {
    const bytes = this.int16();
    return bytes < 0 ? null : this.#slice(bytes).toString();
  }

  /** Empty in place of null. */
  bytes(): Buffer {
    return this.#slice(Math.max(0, this.int32()));
  }

  array<T>(read: (reader: this) => T): T[] {
    return this.nullableArray(read) ?? [];
  }

  nullableArray<T>(read: (reader: this) => T): T[] | null {
    let left = this.int32();
    if (left < 0) return null;
    const items: T[] = [];
    for (; left > 0; left--) items.push(read(this));
    return items;
  }

  #slice(bytes: number): Buffer {
    const at = this.#move(bytes);
    return this.#body.subarray(at, at + bytes);
  }

  #move(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#body.length) throw new RangeError('the body is cut off');
    this.#at += bytes;
    return at;
  }
}
