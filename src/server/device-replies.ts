// The replies to one device: it gets only the newest `stored`, because that one counts for all before, and it is not read
// while it does not read its replies. Their bytes are in reply-buffer.ts. It never ends the connection.
import * as replies from '../protocol/replies.ts';
import type { ByteSource } from './byte-source.ts';
import type { Deadlines } from './deadlines.ts';
import { PAUSE, type ReadPauses } from './read-pauses.ts';
import { ReplyBuffer, type ReplyBufferOwner } from './reply-buffer.ts';
import type { ReplyFlush } from './reply-flush.ts';

/** A device that reads none of its replies for this long is closed. */
const SLOW_READER_MS = 30_000;

/** The connection as its replies see it. */
export interface RepliesParts {
  readonly source: ByteSource;
  readonly host: { readonly replyFlush: ReplyFlush };
  readonly readPauses: ReadPauses;
  /** `replies` passes if the device does not read. */
  readonly deadlines: Deadlines;
  /** The memory of the replies has changed. */
  charge(): void;
  /** The device reads its replies again. */
  goOn(): void;
  /** More replies wait than a device may leave unread. */
  overflown(): void;
}

/** The way back to a peer, as its connection sees it. */
export interface Replies {
  /** Memory of the replies that the kernel has not taken. */
  readonly heldBytes: number;
  /** True while the kernel takes no more bytes. */
  readonly isStuck: boolean;
  /** True if the device waits for a `stored`, or does not read. */
  readonly areDue: boolean;
  /** The highest seq that is stored, -1 if none is. */
  readonly storedSeq: number;
  /** True if a message with a seq has not settled. */
  readonly hasUnsettled: boolean;
  expectStored(seq: number): void;
  stored(seq: number): void;
  /** The device sent a message again. The seq that it is told never falls back. */
  alreadyStored(seq: number): void;
  send(text: string): void;
  /** Takes no further reply but the last one of end(). */
  close(): void;
  /** Sends all replies, at last this one, then FIN. */
  end(last?: string): void;
  /** Forgets all replies except for those of a write that has begun. */
  clear(): void;
}

export class DeviceReplies implements Replies, ReplyBufferOwner {
  readonly #parts: RepliesParts;
  readonly #buffer: ReplyBuffer;
  #hasEnded = false;
  #expectedSeq = -1;
  #storedSeq = -1;
  #toldSeq = -1;
  /** The highest seq that a message was answered with that was sent again. */
  #repeatedSeq = -1;

  constructor(parts: RepliesParts) {
    this.#parts = parts;
    this.#buffer = new ReplyBuffer(parts.source, parts.host.replyFlush, this);
  }

  get heldBytes(): number {
    return this.#buffer.heldBytes;
  }

  get isStuck(): boolean {
    return this.#buffer.isStuck;
  }

  get areDue(): boolean {
    return this.#isUnread || this.hasUnsettled;
  }

  /** The highest seq that is stored, -1 if none is. */
  get storedSeq(): number {
    return this.#storedSeq;
  }

  /** True if a message with a seq has not settled. */
  get hasUnsettled(): boolean {
    return this.#expectedSeq > this.#storedSeq;
  }

  expectStored(seq: number): void {
    this.#expectedSeq = seq;
  }

  stored(seq: number): void {
    if (seq <= this.#storedSeq) return;
    this.#storedSeq = seq;
    this.#tellStored();
  }

  /** The device sent a message again. The seq that it is told never falls back. */
  alreadyStored(seq: number): void {
    this.#repeatedSeq = Math.max(seq, this.#repeatedSeq, this.#toldSeq);
    this.send(replies.stored(this.#repeatedSeq));
  }

  send(text: string): void {
    if (this.#hasEnded) return;
    this.#buffer.write(text);
    if (!this.#buffer.full) return;
    if (!this.#isUnread) {
      this.#parts.readPauses.begin(PAUSE.replies);
      this.#parts.deadlines.set('replies', SLOW_READER_MS);
    }
    if (this.#buffer.overflown) this.#parts.overflown();
  }

  close(): void {
    this.#hasEnded = true;
  }

  end(last?: string): void {
    this.close();
    if (last !== undefined) this.#buffer.write(last);
    this.#buffer.end();
  }

  clear(): void {
    this.close();
    this.#buffer.clear();
  }

  onChange(isProgress: boolean): void {
    this.#parts.charge();
    // A turn later: the kernel may take replies so fast that a device full of bad lines would hold the event loop.
    if (isProgress && this.#isUnread) setImmediate(() => this.#onTaken());
  }

  get #isUnread(): boolean {
    return this.#parts.readPauses.has(PAUSE.replies);
  }

  #tellStored(): void {
    if (this.#toldSeq === this.#storedSeq || this.#isUnread) return;
    this.#toldSeq = this.#storedSeq;
    this.send(replies.stored(this.#storedSeq));
  }

  #onTaken(): void {
    const { readPauses: pauses, deadlines } = this.#parts;
    if (!this.#isUnread) return;
    if (this.#buffer.full) {
      deadlines.set('replies', SLOW_READER_MS);
      return;
    }
    deadlines.clear('replies');
    pauses.end(PAUSE.replies);
    this.#tellStored();
    // During a stop no further lines are taken: a device that reads its replies only now must not prolong the stop.
    if (!pauses.has(PAUSE.stopping)) this.#parts.goOn();
  }
}
