// Cuts a byte stream into lines that end with an LF. It does no I/O, looks at each byte once, copies only lines that span
// chunks, and never keeps more of an unfinished line than the limit. A line is without its LF, and a CR before it.
import { ChunkFramer, NO_BYTES } from './chunk-framer.ts';
import type { FramerResult } from './framer.ts';

const LF = 0x0a;
const CR = 0x0d;

export class LineFramer extends ChunkFramer {
  // The line that was too long has not ended.
  #hasNoEnd = false;

  get partialBytes(): number {
    return this.partial.length;
  }

  get isMidLine(): boolean {
    return this.partial.length > 0 || this.isSkipping;
  }

  get lines(): number {
    let lines = this.isUnread ? 1 : 0;
    for (let at = this.chunk.indexOf(LF, this.at); at >= 0; at = this.chunk.indexOf(LF, at + 1)) lines++;
    return lines;
  }

  /** Moves to the next line, or tells why there is none. After `too_long` the framer cannot go on without skip(). */
  next(): FramerResult {
    if (this.isUnread) {
      this.isUnread = false;
      return 'line';
    }
    if (this.isSkipping && !this.#skipToEnd()) return 'more';
    const chunk = this.chunk;
    const from = this.at;
    const lf = from < chunk.length ? chunk.indexOf(LF, from) : -1;
    if (lf < 0) return this.#keep(from);
    this.at = lf + 1;
    if (this.partial.length === 0) return this.#emit(chunk, from, lf);
    return this.#append(chunk, from, lf) ? this.#emitPartial() : this.#tooLong(chunk, from);
  }

  skip(): void {
    this.partial.clear();
    this.bytes = NO_BYTES;
    this.isSkipping = this.#hasNoEnd;
    this.#hasNoEnd = false;
  }

  unread(): void {
    if (this.bytes === this.chunk) this.at = this.start;
    else this.isUnread = true;
  }

  clear(): void {
    this.isUnread = false;
    this.partial.clear();
    this.release();
  }

  /** At the end of the stream: a rest without LF is a line; `more` if there is no rest. */
  finish(): FramerResult {
    return this.partial.length === 0 ? 'more' : this.#emitPartial();
  }

  #emit(bytes: Uint8Array, start: number, lf: number): FramerResult {
    const end = lf > start && bytes[lf - 1] === CR ? lf - 1 : lf;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    return end - start > this.maxLineBytes ? 'too_long' : 'line';
  }

  #keep(from: number): FramerResult {
    const chunk = this.chunk;
    this.release();
    if (from === chunk.length) return 'more';
    if (this.#append(chunk, from, chunk.length)) {
      // One byte over may still be the CR before the LF.
      const over = this.partial.length - this.maxLineBytes;
      if (over <= 0 || this.partial.bytes[this.partial.length - 1] === CR) return 'more';
    }
    this.#hasNoEnd = true;
    return this.#tooLong(chunk, from);
  }

  /** False if the line that is dropped does not end in this chunk. */
  #skipToEnd(): boolean {
    const lf = this.chunk.indexOf(LF, this.at);
    const to = lf < 0 ? this.chunk.length : lf + 1;
    this.skipped += to - this.at;
    if (lf < 0) {
      this.release();
      return false;
    }
    this.at = to;
    this.isSkipping = false;
    return true;
  }

  #tooLong(chunk: Uint8Array, from: number): FramerResult {
    const hasPartial = this.partial.length > 0;
    this.bytes = hasPartial ? this.partial.bytes : chunk;
    this.start = hasPartial ? 0 : from;
    this.end = hasPartial ? this.partial.length : chunk.length;
    return 'too_long';
  }

  #append(chunk: Uint8Array, from: number, to: number): boolean {
    const maxBytes = this.maxLineBytes + 1;
    if (this.partial.length + to - from > maxBytes) return false;
    this.partial.append(chunk, from, to, maxBytes);
    return true;
  }

  // The job owns the buffer from now on, so it must not be written to again.
  #emitPartial(): FramerResult {
    const { bytes, length } = this.partial;
    this.partial.clear();
    return this.#emit(bytes, 0, length);
  }
}
