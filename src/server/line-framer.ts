// Cuts a byte stream into lines that end with an LF. It does no I/O, looks at each byte once, copies only lines that span
// chunks, and never keeps more of an unfinished line than the limit. A line is without its LF, and a CR before it.
import { ChunkFramer, NO_BYTES } from './chunk-framer.ts';
import type { FramerResult } from './framer.ts';
import type { UnfinishedLine } from './unfinished-line.ts';

const LF = 0x0a;
const CR = 0x0d;

export class LineFramer extends ChunkFramer {
  // The line that was too long has not ended.
  #hasNoEnd = false;

  get partialBytes(): number {
    return this.partialLength;
  }

  get isMidLine(): boolean {
    return this.partial !== undefined || this.isSkipping;
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
    if (this.partial === undefined) return this.#emit(chunk, from, lf);
    const line = this.#append(from, lf);
    return line === undefined ? this.#tooLong(chunk, from) : this.#emitPartial(line);
  }

  skip(): void {
    this.partial = undefined;
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
    this.partial = undefined;
    this.release();
  }

  /** At the end of the stream: a rest without LF is a line; `more` if there is no rest. */
  finish(): FramerResult {
    return this.partial === undefined ? 'more' : this.#emitPartial(this.partial);
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
    if (from === chunk.length) {
      this.release();
      return 'more';
    }
    const line = this.#append(from, chunk.length);
    this.release();
    // One byte over may still be the CR before the LF.
    if (line !== undefined && (line.length <= this.maxLineBytes || line.bytes[line.length - 1] === CR))
      return 'more';
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
    const { partial } = this;
    this.bytes = partial?.bytes ?? chunk;
    this.start = partial === undefined ? from : 0;
    this.end = partial?.length ?? chunk.length;
    return 'too_long';
  }

  /** The unfinished line with these bytes of the chunk, or undefined if it is too long for them. */
  #append(from: number, to: number): UnfinishedLine | undefined {
    const maxBytes = this.maxLineBytes + 1;
    return this.partialLength + to - from > maxBytes ? undefined : this.append(from, to, maxBytes);
  }

  // The job owns the buffer from now on, so it must not be written to again.
  #emitPartial({ bytes, length }: UnfinishedLine): FramerResult {
    this.partial = undefined;
    return this.#emit(bytes, 0, length);
  }
}
