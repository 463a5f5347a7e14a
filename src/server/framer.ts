// The part that cuts the bytes of a connection into lines, as its owner sees it. Only types.

/** `bad_frame`: the start of the next line is not known, so nothing that follows can be read. */
export type FramerResult = 'line' | 'more' | 'too_long' | 'bad_frame';

export interface Framer {
  /**
   * The line that next() found: bytes[start, end). Valid while its chunk is. After `too_long` it is the part of the line
   * that has come, after `bad_frame` the bytes that are at fault.
   */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Longest line. May be raised at any time. */
  maxLineBytes: number;
  /** Bytes of the unfinished line. */
  readonly partialBytes: number;
  /** A line has begun and not ended, also one that is skipped. */
  readonly isMidLine: boolean;
  /** Memory of the unfinished line. */
  readonly partialCapacity: number;
  /** True if no byte of the chunk is left and no line was put back. */
  readonly isEmpty: boolean;
  /** Bytes of the chunk that are left. */
  readonly restBytes: number;
  /** Whole lines that next() would still return. Scans the chunk, so not for the hot path. */
  readonly lines: number;
  /** Gives the next chunk. The one before must be used up (isEmpty). */
  push(chunk: Uint8Array): void;
  /** Moves to the next line, or tells why there is none. */
  next(): FramerResult;
  /** To be called after `too_long` to go on: drops the rest of that line. */
  skip(): void;
  /** Bytes of such lines that were dropped since the call before. */
  takeSkipped(): number;
  /** next() returns the same line once more. */
  unread(): void;
  /** Copies the rest of the chunk to memory of its own size. Returns that size. */
  copyRest(): number;
  /** Drops the reference to a chunk that is not needed any more: it would keep its whole slab in memory. */
  release(): void;
  /** Drops everything. */
  clear(): void;
  /** At the end of the stream: the rest is a line, or a part of one; `more` if nothing is left. */
  finish(): FramerResult;
}
