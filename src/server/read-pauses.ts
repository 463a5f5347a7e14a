// Why a connection is not read at present. It pauses the socket for the first reason. When a reason ends, and when the
// socket is read again, the connection decides.
import type { Socket } from 'node:net';

/** Bits, because a connection can have several reasons at once. */
export const PAUSE = {
  /** Its next line found no room in the queue. */
  queue: 1,
  /** Its next line has to wait until the line before it is handled. */
  ownJob: 2,
  /** The device does not read its replies. */
  replies: 4,
  /** It has used up its budget of refused lines or a rate. */
  slowed: 8,
  /** It holds much of the budget of bytes, and the budget is nearly used up. */
  memory: 16,
  /** The gateway stops. */
  stopping: 32,
} as const;

export type PauseReason = (typeof PAUSE)[keyof typeof PAUSE];

/** While one of these holds, no line is taken either. The other reasons only stop the socket. */
const HOLDS_LINES = PAUSE.queue | PAUSE.ownJob | PAUSE.replies | PAUSE.slowed;

interface PauseCounters {
  /** Connections that are not read. A stop does not count. */
  paused: number;
  slowed: number;
}

export class ReadPauses {
  reasons = 0;
  readonly #socket: Socket;
  readonly #counters: PauseCounters;

  constructor(socket: Socket, counters: PauseCounters) {
    this.#socket = socket;
    this.#counters = counters;
  }

  has(reason: PauseReason): boolean {
    return (this.reasons & reason) !== 0;
  }

  get holdsLines(): boolean {
    return (this.reasons & HOLDS_LINES) !== 0;
  }

  begin(reason: PauseReason): void {
    if (this.reasons === 0) this.#socket.pause();
    this.#set(this.reasons | reason);
  }

  /** The reason no longer holds. The socket stays paused, because lines that wait come first. */
  end(reason: PauseReason): void {
    this.#set(this.reasons & ~reason);
  }

  /** Ends all reasons. */
  clear(): void {
    this.#set(0);
  }

  #set(reasons: number): void {
    const change = (bits: number) => Number((reasons & bits) !== 0) - Number((this.reasons & bits) !== 0);
    this.#counters.paused += change(~PAUSE.stopping);
    this.#counters.slowed += change(PAUSE.slowed);
    this.reasons = reasons;
  }
}
