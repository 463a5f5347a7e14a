// The bytes of an unfinished line from earlier chunks, in memory that grows with them up to the bytes that the line may have.

const FIRST_BYTES = 512;
const EMPTY = new Uint8Array(0);

export class UnfinishedLine {
  /** Its first `length` bytes are the line. */
  bytes: Uint8Array = EMPTY;
  length = 0;

  /** Takes chunk[from, to). @param maxBytes that the line can have in all */
  append(chunk: Uint8Array, from: number, to: number, maxBytes: number): void {
    const length = this.length + to - from;
    if (length > this.bytes.length) {
      const wanted = Math.max(length, 2 * this.bytes.length, FIRST_BYTES);
      const grown = Buffer.allocUnsafeSlow(Math.min(wanted, maxBytes));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(chunk.subarray(from, to), this.length);
    this.length = length;
  }
}
