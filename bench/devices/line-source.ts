// The source of the bench's lines. The pool is encoded once, and a line is a copy with its own digits: the load shares
// the machine with the server, so it must use little CPU.
import {
  linePool,
  POOL_LINES,
  type PoolOptions,
  SEQ_DIGITS,
  SEQ_OFFSET,
  STAMP_MS_FROM_END,
  STAMP_N_FROM_END,
  type Stamp,
} from './lines.ts';

export class LineSource {
  readonly #bytes: Buffer;
  /** The start of each line, and the end of the last. */
  readonly #starts: readonly number[];
  readonly #seq: boolean;
  #next = 0;

  constructor(options: PoolOptions) {
    const lines = linePool(options).map((line) => `${line}\n`);
    this.#bytes = Buffer.from(lines.join(''));
    let at = 0;
    this.#starts = [0, ...lines.map(({ length }) => (at += length))];
    this.#seq = options.seq;
  }

  /**
   * The next lines, LF included. Without `seq` they are the pool's own bytes.
   * @param firstSeq the seq of the first line, if lines have one
   */
  take(lines: number, firstSeq: number): Buffer {
    const { block, first } = this.#take(lines);
    if (!this.#seq) return block;
    // A copy, because the pool's bytes may still wait in another socket.
    const own = Buffer.from(block);
    for (let index = 0; index < lines; index++) this.#writeSeq(own, first, index, firstSeq + index);
    return own;
  }

  /** The next line of a stamped pool. @param seq used if lines have one */
  takeStamped({ n, sentMs }: Stamp, seq: number): Buffer {
    const { block, first } = this.#take(1);
    const own = Buffer.from(block);
    if (this.#seq) this.#writeSeq(own, first, 0, seq);
    const end = own.length - 1;
    writeDigits(own, end - STAMP_N_FROM_END, SEQ_DIGITS, n);
    const seconds = Math.floor(sentMs / 1000);
    const us = Math.floor((sentMs - seconds * 1000) * 1000);
    const at = end - STAMP_MS_FROM_END;
    writeDigits(own, at, 10, seconds);
    writeDigits(own, at + 10, 3, (us / 1000) | 0);
    writeDigits(own, at + 14, 3, us % 1000);
    return own;
  }

  #take(lines: number): { block: Buffer; first: number } {
    if (this.#next + lines > POOL_LINES) this.#next = 0;
    const first = this.#next;
    this.#next += lines;
    return { block: this.#bytes.subarray(this.#starts[first], this.#starts[this.#next]), first };
  }

  #writeSeq(block: Buffer, first: number, index: number, seq: number): void {
    const offset = (this.#starts[first + index] ?? 0) - (this.#starts[first] ?? 0) + SEQ_OFFSET;
    writeDigits(block, offset, SEQ_DIGITS, seq);
  }
}

/** @param value below 2 ** 31: 32-bit division is twice as fast */
function writeDigits(bytes: Buffer, offset: number, digits: number, value: number): void {
  let rest = value | 0;
  for (let at = offset + digits - 1; at >= offset; at--) {
    const tenth = (rest / 10) | 0;
    bytes[at] = 48 + rest - tenth * 10;
    rest = tenth;
  }
}
