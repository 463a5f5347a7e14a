// The content of one file. It grows in place, so that appending costs only the bytes that are added. Copies and snapshots
// share the memory until one of them changes.

export class Bytes {
  #memory: Buffer;
  #length: number;
  #isShared: boolean;

  /** @param content is not changed, and must not be changed by others */
  constructor(content: Buffer = Buffer.alloc(0)) {
    this.#memory = content;
    this.#length = content.length;
    this.#isShared = true;
  }

  get length(): number {
    return this.#length;
  }

  /** The content, which later changes leave as it is. */
  snapshot(): Buffer {
    this.#isShared = true;
    return this.#memory.subarray(0, this.#length);
  }

  copy(): Bytes {
    return new Bytes(this.snapshot());
  }

  /** Up to `length` bytes from `position` on; valid until the next change. */
  slice(position: number, length: number): Buffer {
    return this.#memory.subarray(Math.min(position, this.#length), Math.min(position + length, this.#length));
  }

  write(position: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const end = position + bytes.length;
    this.#own(end);
    if (position > this.#length) this.#memory.fill(0, this.#length, position);
    this.#memory.set(bytes, position);
    this.#length = Math.max(this.#length, end);
  }

  /** Cuts the content, or fills it up with zeros. */
  truncate(length: number): void {
    if (length > this.#length) {
      this.#own(length);
      this.#memory.fill(0, this.#length, length);
    }
    this.#length = length;
  }

  /** Flips one bit of the byte at `position`. */
  flip(position: number, bit: number): void {
    if (position >= this.#length) return;
    this.#own(this.#length);
    this.#memory.writeUInt8(this.#memory.readUInt8(position) ^ (1 << bit), position);
  }

  /** Makes the memory our own, with room for this many bytes. */
  #own(bytes: number): void {
    if (!this.#isShared && bytes <= this.#memory.length) return;
    const isGrowing = bytes > this.#memory.length;
    const memory = Buffer.allocUnsafeSlow(
      isGrowing ? Math.max(bytes, this.#memory.length * 2, 512) : Math.max(bytes, this.#length),
    );
    memory.set(this.#memory.subarray(0, this.#length));
    this.#memory = memory;
    this.#isShared = false;
  }
}
