// The replies to one device that are not sent yet: one buffer, and one write at a time. Replies of one turn leave in one
// TCP segment. The connection decides what happens to a device that does not read.
import type { ByteSource } from './byte-source.ts';
import type { ReplyFlush } from './reply-flush.ts';

const REPLY_LIMITS = {
  /** With more unsent bytes the device is not read from. */
  pauseBytes: 64 * 1024,
  /** With more unsent bytes the device is closed. Replies to jobs that already wait must fit between the two limits. */
  closeBytes: 1024 * 1024,
} as const;

const FIRST_BYTES = 1024;
const MAX_STEP_BYTES = 16 * 1024;

export interface ReplyBufferOwner {
  /** More bytes wait, or, with `isProgress`, the kernel has taken some of them. */
  onChange(isProgress: boolean): void;
}

export class ReplyBuffer {
  readonly #source: ByteSource;
  readonly #turn: ReplyFlush;
  readonly #owner: ReplyBufferOwner;
  // Of this turn. Text is the cheapest while nothing waits, which is nearly always.
  #text = '';
  #isFlushScheduled = false;
  // Of earlier turns, while a write is under way.
  #waiting: Buffer | undefined;
  #waitingBytes = 0;
  #writingBytes = 0;

  constructor(source: ByteSource, turn: ReplyFlush, owner: ReplyBufferOwner) {
    this.#source = source;
    this.#turn = turn;
    this.#owner = owner;
  }

  get #unsentBytes(): number {
    return this.#text.length + this.#waitingBytes + this.#writingBytes;
  }

  /** True while the device must not be read from. */
  get full(): boolean {
    return this.#unsentBytes > REPLY_LIMITS.pauseBytes;
  }

  /** True if the device has to be closed. */
  get overflown(): boolean {
    return this.#unsentBytes > REPLY_LIMITS.closeBytes;
  }

  /** True while the kernel takes no more bytes. */
  get isStuck(): boolean {
    return this.#writingBytes > 0;
  }

  /** Memory of the replies that the kernel has not taken. */
  get heldBytes(): number {
    return (this.#waiting?.length ?? 0) + this.#writingBytes;
  }

  write(text: string): void {
    this.#text += text;
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#turn.add(this);
  }

  /** Sends the rest, then FIN. */
  end(): void {
    this.#keep();
    if (this.#waiting !== undefined) this.#source.write(this.#waiting.subarray(0, this.#waitingBytes));
    this.#turn.sentBytes += this.#waitingBytes;
    this.#writingBytes += this.#waitingBytes;
    this.#drop();
    this.#source.end();
  }

  /** Forgets all replies except for those of a write that has begun. */
  clear(): void {
    this.#text = '';
    this.#drop();
  }

  /** Only ReplyFlush calls it. */
  flush(): void {
    this.#isFlushScheduled = false;
    if (this.#text === '') return;
    if (!this.#source.writable) this.clear();
    else if (this.#writingBytes === 0) {
      const text = this.#text;
      this.#text = '';
      this.#begin(text, Buffer.byteLength(text));
    } else {
      this.#keep();
      this.#owner.onChange(false);
    }
  }

  #begin(data: string | Uint8Array, bytes: number): void {
    this.#source.write(data, () => this.#onWritten());
    this.#turn.sentBytes += bytes;
    // Mostly the kernel takes everything at once.
    const isTaken = this.#source.writableLength === 0;
    if (!isTaken) this.#writingBytes = bytes;
    if (!isTaken || bytes > REPLY_LIMITS.pauseBytes) this.#owner.onChange(isTaken);
  }

  #onWritten(): void {
    if (this.#writingBytes === 0) return;
    this.#writingBytes = 0;
    const waiting = this.#waiting?.subarray(0, this.#waitingBytes);
    this.#drop();
    if (waiting !== undefined && this.#source.writable) this.#begin(waiting, waiting.length);
    this.#owner.onChange(true);
  }

  #drop(): void {
    this.#waiting = undefined;
    this.#waitingBytes = 0;
  }

  /** Moves the text to the buffer. */
  #keep(): void {
    if (this.#text === '') return;
    const bytes = Buffer.byteLength(this.#text);
    const needed = this.#waitingBytes + bytes;
    let buffer = this.#waiting;
    if (buffer === undefined || buffer.length < needed) {
      const step = Math.min(MAX_STEP_BYTES, Math.max(FIRST_BYTES, this.#waitingBytes));
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#waitingBytes + step));
      if (buffer !== undefined) grown.set(buffer.subarray(0, this.#waitingBytes));
      buffer = grown;
    }
    buffer.write(this.#text, this.#waitingBytes);
    this.#waiting = buffer;
    this.#waitingBytes = needed;
    this.#text = '';
  }
}
