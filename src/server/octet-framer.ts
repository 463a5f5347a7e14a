// Cuts a byte stream into frames with their length before them: MSG-LEN SP MSG, as syslog senders write it (RFC 6587,
// 3.4.1). It does no I/O, looks at each byte once, copies only frames that span chunks, and never keeps more of an
// unfinished frame than the limit. A frame without a valid count ends the stream: nothing tells the start of the next one.
import { ChunkFramer, NO_BYTES } from './chunk-framer.ts';
import type { FramerResult } from './framer.ts';
import type { UnfinishedLine } from './unfinished-line.ts';

const SP = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
/** Of a count. A frame beyond the limit of lines is skipped, so its length has a limit too. */
const MAX_DIGITS = 9;

export class OctetFramer extends ChunkFramer {
  /** Of the count that is read. */
  #digits = 0;
  #count = 0;
  /** Bytes of the frame that have not come. -1 while its count is read. */
  #missing = -1;

  get partialBytes(): number {
    return this.partialLength + this.#digits;
  }

  get isMidLine(): boolean {
    return this.#missing >= 0 || this.#digits > 0;
  }

  get lines(): number {
    const counted = new OctetFramer(this.maxLineBytes);
    let lines = this.isUnread ? 1 : 0;
    counted.#missing = this.#missing;
    counted.push(this.chunk.subarray(this.at));
    while (counted.next() === 'line') lines++;
    return lines;
  }

  next(): FramerResult {
    if (this.isUnread) {
      this.isUnread = false;
      return 'line';
    }
    for (;;) {
      if (this.#missing < 0) {
        const result = this.#readCount();
        if (result !== 'line') return result;
        if (this.#missing > this.maxLineBytes) return this.#tooLong();
      }
      const result = this.#readFrame();
      if (result !== undefined) return result;
    }
  }

  skip(): void {
    this.bytes = NO_BYTES;
    this.isSkipping = true;
  }

  unread(): void {
    if (this.bytes === this.chunk) {
      // Back to the frame, whose count is known.
      this.#missing = this.at - this.start;
      this.at = this.start;
    } else this.isUnread = true;
  }

  clear(): void {
    this.isUnread = false;
    this.partial = undefined;
    this.#digits = 0;
    this.#missing = -1;
    this.isSkipping = false;
    this.release();
  }

  /** The part of a frame that was cut off is a line: whoever reads it as JSON sees that its end is missing. */
  finish(): FramerResult {
    if (this.isSkipping || this.partial === undefined) return 'more';
    this.#missing = -1;
    return this.#emitPartial(this.partial);
  }

  /** `line` once the count is known. */
  #readCount(): FramerResult {
    const chunk = this.chunk;
    const from = this.at;
    let p = from;
    for (;;) {
      if (p >= chunk.length) {
        this.release();
        return 'more';
      }
      const c = chunk[p] as number;
      const isDigit = c >= ZERO && c <= NINE && (this.#digits > 0 || c !== ZERO);
      if (isDigit && this.#digits < MAX_DIGITS) {
        this.#count = (this.#digits === 0 ? 0 : this.#count * 10) + (c - ZERO);
        this.#digits++;
        p++;
        continue;
      }
      if (c !== SP || this.#digits === 0) {
        this.bytes = chunk;
        this.start = Math.max(from, p - this.#digits);
        this.end = chunk.length;
        return 'bad_frame';
      }
      this.at = p + 1;
      this.#missing = this.#count;
      this.#digits = 0;
      return 'line';
    }
  }

  /** Undefined if a skipped frame has ended. */
  #readFrame(): FramerResult | undefined {
    const chunk = this.chunk;
    const from = this.at;
    const taken = Math.min(this.#missing, chunk.length - from);
    const to = from + taken;
    if (this.isSkipping) {
      this.at = to;
      this.#missing -= taken;
      this.skipped += taken;
      if (this.#missing > 0) {
        this.release();
        return 'more';
      }
      this.isSkipping = false;
      this.#missing = -1;
      return undefined;
    }
    if (taken < this.#missing) {
      if (taken > 0) this.append(from, to, this.partialLength + this.#missing);
      this.#missing -= taken;
      this.release();
      return 'more';
    }
    this.at = to;
    this.#missing = -1;
    if (this.partial === undefined) {
      this.bytes = chunk;
      this.start = from;
      this.end = to;
    } else {
      return this.#emitPartial(this.append(from, to, this.partialLength + taken));
    }
    return 'line';
  }

  #tooLong(): FramerResult {
    this.bytes = this.chunk;
    this.start = this.at;
    this.end = Math.min(this.at + this.#missing, this.chunk.length);
    return 'too_long';
  }

  // The job owns the buffer from now on, so it must not be written to again.
  #emitPartial({ bytes, length }: UnfinishedLine): FramerResult {
    this.bytes = bytes;
    this.start = 0;
    this.end = length;
    this.partial = undefined;
    return 'line';
  }
}
