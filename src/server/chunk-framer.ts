// The part that all framers share: the chunk that they cut, the unfinished line, the line that was put back, and the count of
// bytes that are dropped. A subclass finds the end of a line.
import type { Framer, FramerResult } from './framer.ts';
import { UnfinishedLine } from './unfinished-line.ts';

export const NO_BYTES = new Uint8Array(0);

/** framer.ts explains the public members. */
export abstract class ChunkFramer implements Framer {
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  maxLineBytes: number;

  protected chunk: Uint8Array = NO_BYTES;
  /** Of the first byte of the chunk that was not looked at. */
  protected at = 0;
  /** Undefined if all lines of earlier chunks have ended. */
  protected partial: UnfinishedLine | undefined;
  /** A line from earlier chunks that next() has to return again. */
  protected isUnread = false;
  /** The rest of a line that was too long is dropped. */
  protected isSkipping = false;
  protected skipped = 0;

  constructor(maxLineBytes: number) {
    this.maxLineBytes = maxLineBytes;
  }

  abstract get partialBytes(): number;
  abstract get isMidLine(): boolean;
  abstract get lines(): number;
  abstract next(): FramerResult;
  abstract skip(): void;
  abstract unread(): void;
  abstract clear(): void;
  abstract finish(): FramerResult;

  get partialCapacity(): number {
    return (this.partial?.bytes.length ?? 0) + (this.isUnread ? this.bytes.length : 0);
  }

  get isEmpty(): boolean {
    return this.at >= this.chunk.length && !this.isUnread;
  }

  get restBytes(): number {
    return this.chunk.length - this.at;
  }

  push(chunk: Uint8Array): void {
    this.chunk = chunk;
    this.at = 0;
  }

  takeSkipped(): number {
    const { skipped } = this;
    this.skipped = 0;
    return skipped;
  }

  copyRest(): number {
    const rest = this.chunk.subarray(this.at);
    const copy = Buffer.allocUnsafeSlow(rest.length);
    copy.set(rest);
    this.release();
    this.chunk = copy;
    return copy.length;
  }

  release(): void {
    this.chunk = NO_BYTES;
    this.at = 0;
    if (!this.isUnread) this.bytes = NO_BYTES;
  }

  protected get partialLength(): number {
    return this.partial?.length ?? 0;
  }

  /** Adds chunk[from, to) to the unfinished line. @param maxBytes that the line can have in all */
  protected append(from: number, to: number, maxBytes: number): UnfinishedLine {
    this.partial ??= new UnfinishedLine();
    this.partial.append(this.chunk, from, to, maxBytes);
    return this.partial;
  }
}
