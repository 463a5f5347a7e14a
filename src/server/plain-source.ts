// The byte source of an accepted TCP socket. A stage may read the first bytes and put back those that belong to the next
// stage, or give the socket to the TLS layer.
import type { Socket } from 'node:net';
import type { ByteSource } from './byte-source.ts';
import { SocketSource } from './socket-source.ts';

export class PlainSource extends SocketSource implements ByteSource {
  /** Bytes that were put back. */
  #unread: Uint8Array | undefined;

  /** @param socket an accepted and paused one */
  constructor(socket: Socket, others?: number) {
    super(socket, others);
    // A stream with a listener for its bytes would flow.
    if (isStream(socket)) socket.pause();
  }

  get isTls(): boolean {
    return false;
  }

  /** Bytes that were put back and are not read again yet. */
  get unreadBytes(): number {
    return this.destroyed ? 0 : (this.#unread?.length ?? 0);
  }

  /** Puts bytes back, which are read again after resume(). The source is paused. They may lie in a slab. */
  unread(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#unread = Buffer.concat([bytes, this.#unread ?? Buffer.alloc(0)]);
  }

  resume(): void {
    this.isRead = true;
    if (this.#unread === undefined) this.startReading();
    else process.nextTick(() => this.#readAgain());
  }

  /**
   * The socket, which gives these bytes first. They must stay as they are until the next tick. The source is of no use
   * any more, but its taker hears of the close.
   */
  detach(bytes: Uint8Array): Socket {
    const { socket } = this;
    if (isStream(socket)) socket.removeAllListeners('data').pause();
    socket.unshift(bytes);
    return socket;
  }

  #readAgain(): void {
    const bytes = this.#unread;
    if (!this.isRead || this.socket.destroyed) return;
    this.#unread = undefined;
    if (bytes !== undefined) this.taker.onBytes(bytes, undefined);
    if (this.isRead) this.startReading();
  }
}

const isStream = (socket: Socket): boolean => socket.listenerCount('data') > 0;
