// Writes replies to one socket and knows how many of them are unsent. Replies of one turn leave in one TCP segment. The
// connection decides what happens to a device that does not read.
import type { Socket } from 'node:net';

export const REPLY_LIMITS = {
  /** With more unsent bytes the device is not read from. */
  pauseBytes: 64 * 1024,
  /** With more unsent bytes the device is closed. Replies to jobs that already wait must fit between the two limits. */
  closeBytes: 1024 * 1024,
} as const;

export class ReplyWriter {
  readonly #socket: Socket;
  #corked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** True while the device must not be read from. */
  get full(): boolean {
    return this.#socket.writableLength > REPLY_LIMITS.pauseBytes;
  }

  /** True if the device has to be closed. */
  get overflown(): boolean {
    return this.#socket.writableLength > REPLY_LIMITS.closeBytes;
  }

  write(text: string): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        socket.uncork();
      });
    }
    socket.write(text);
  }
}
