// Writes replies to one socket and owns what that may cost: replies of one turn leave in one segment, a device
// that does not read is no longer read from, and one that still does not read is given up.
import type { Socket } from 'node:net';

export const REPLY_LIMITS = {
  /** Unsent replies above this stop reading from the device. */
  pauseBytes: 64 * 1024,
  /** Unsent replies above this close it: what its waiting jobs answer must fit between the two. */
  closeBytes: 1024 * 1024,
} as const;

export class ReplyWriter {
  readonly #socket: Socket;
  #corked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** True while the device is behind with reading its replies. */
  get full(): boolean {
    return this.#socket.writableLength > REPLY_LIMITS.pauseBytes;
  }

  /** True where the device has to be given up. */
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
