// Cuts a byte stream into lines. It does no I/O, looks at each byte once, copies only lines that span chunks, and never
// keeps more of an unfinished line than the limit.

export type FramerResult = 'line' | 'more' | 'too_long';

const LF = 0x0a;
const CR = 0x0d;
const FIRST_PARTIAL_BYTES = 512;
const EMPTY = new Uint8Array(0);

export class LineFramer {
  /**
   * The line that next() found: bytes[start, end), without LF and a CR before it. Valid while its chunk is. After `too_long`
   * it is the part of the line that has come.
   */
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;
  /** Longest line. May be raised at any time. */
  maxLineBytes: number;

  #chunk: Uint8Array = EMPTY;
  #at = 0;
  // Bytes of an unfinished line from earlier chunks.
  #partial: Uint8Array = EMPTY;
  #partialLength = 0;
  // A line from earlier chunks that next() has to return again.
  #unread = false;

  constructor(maxLineBytes: number) {
    this.maxLineBytes = maxLineBytes;
  }

  /** Bytes of the unfinished line. */
  get partialBytes(): number {
    return this.#partialLength;
  }

  /** Memory of the unfinished line. */
  get partialCapacity(): number {
    return this.#partial.length + (this.#unread ? this.bytes.length : 0);
  }

  /** True if no byte of the chunk is left and no line was put back. */
  get isEmpty(): boolean {
    return this.#at >= this.#chunk.length && !this.#unread;
  }

  /** Bytes of the chunk that are left. */
  get restBytes(): number {
    return this.#chunk.length - this.#at;
  }

  /** Whole lines that next() would still return. Scans the chunk, so not for the hot path. */
  get lines(): number {
    let lines = this.#unread ? 1 : 0;
    for (let at = this.#chunk.indexOf(LF, this.#at); at >= 0; at = this.#chunk.indexOf(LF, at + 1)) lines++;
    return lines;
  }

  /** Gives the next chunk. The one before must be used up (isEmpty). */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** Moves to the next line, or tells why there is none. After `too_long` the framer cannot go on. */
  next(): FramerResult {
    if (this.#unread) {
      this.#unread = false;
      return 'line';
    }
    const chunk = this.#chunk;
    const from = this.#at;
    const lf = from < chunk.length ? chunk.indexOf(LF, from) : -1;
    if (lf < 0) return this.#keep(from);
    this.#at = lf + 1;
    if (this.#partialLength === 0) return this.#emit(chunk, from, lf);
    return this.#append(chunk, from, lf) ? this.#emitPartial() : this.#tooLong(chunk, from);
  }

  /** next() returns the same line once more. */
  unread(): void {
    if (this.bytes === this.#chunk) this.#at = this.start;
    else this.#unread = true;
  }

  /** Copies the rest of the chunk to memory of its own size. Returns that size. */
  copyRest(): number {
    const rest = this.#chunk.subarray(this.#at);
    const copy = Buffer.allocUnsafeSlow(rest.length);
    copy.set(rest);
    this.release();
    this.#chunk = copy;
    return copy.length;
  }

  /** Drops the reference to a chunk that is not needed any more: it would keep its whole slab in memory. */
  release(): void {
    this.#chunk = EMPTY;
    this.#at = 0;
    if (!this.#unread) this.bytes = EMPTY;
  }

  /** Drops everything. */
  clear(): void {
    this.#unread = false;
    this.#partial = EMPTY;
    this.#partialLength = 0;
    this.release();
  }

  /** At the end of the stream: a rest without LF is a line; `more` if there is no rest. */
  finish(): FramerResult {
    return this.#partialLength === 0 ? 'more' : this.#emitPartial();
  }

  #emit(bytes: Uint8Array, start: number, lf: number): FramerResult {
    const end = lf > start && bytes[lf - 1] === CR ? lf - 1 : lf;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    return end - start > this.maxLineBytes ? 'too_long' : 'line';
  }

  #keep(from: number): FramerResult {
    const chunk = this.#chunk;
    this.release();
    if (from === chunk.length) return 'more';
    if (!this.#append(chunk, from, chunk.length)) return this.#tooLong(chunk, from);
    // One byte over may still be the CR before the LF.
    const over = this.#partialLength - this.maxLineBytes;
    return over > 0 && this.#partial[this.#partialLength - 1] !== CR ? this.#tooLong(chunk, from) : 'more';
  }

  #tooLong(chunk: Uint8Array, from: number): FramerResult {
    const hasPartial = this.#partialLength > 0;
    this.bytes = hasPartial ? this.#partial : chunk;
    this.start = hasPartial ? 0 : from;
    this.end = hasPartial ? this.#partialLength : chunk.length;
    return 'too_long';
  }

  #append(chunk: Uint8Array, from: number, to: number): boolean {
    const length = this.#partialLength + to - from;
    if (length > this.maxLineBytes + 1) return false;
    if (length > this.#partial.length) {
      const wanted = Math.max(length, 2 * this.#partial.length, FIRST_PARTIAL_BYTES);
      const grown = Buffer.allocUnsafeSlow(Math.min(wanted, this.maxLineBytes + 1));
      grown.set(this.#partial.subarray(0, this.#partialLength));
      this.#partial = grown;
    }
    this.#partial.set(chunk.subarray(from, to), this.#partialLength);
    this.#partialLength = length;
    return true;
  }

  // The job owns the buffer from now on, so it must not be written to again.
  #emitPartial(): FramerResult {
    const bytes = this.#partial;
    const length = this.#partialLength;
    this.#partial = EMPTY;
    this.#partialLength = 0;
    return this.#emit(bytes, 0, length);
  }
}
