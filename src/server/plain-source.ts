// The byte source of an accepted TCP socket. A stage may read the first bytes and put back those that belong to the next
// stage, or give the socket to the TLS layer.
import type { Socket } from 'node:net';
import type { ByteSource } from './byte-source.ts';
import { readInPlace } from './device-reader.ts';
import { SocketSource } from './socket-source.ts';

export class PlainSource extends SocketSource implements ByteSource {
  protected readonly socket: Socket;
  /** Bytes that were put back. */
  #unread: Uint8Array | undefined;

  /**
   * From now on the socket has an error listener: a reset without one would end the process.
   * @param socket an accepted and paused one, from which nothing was read
   * @param others number of other open connections
   */
  constructor(socket: Socket, others = 0) {
    super();
    socket.on('error', destroy);
    readInPlace(socket, (bytes, slab) => this.taker.onBytes(bytes, slab), others);
    // A stream with a listener for its bytes would flow.
    if (isStream(socket)) socket.pause();
    socket.on('end', () => this.taker.onEnd());
    socket.on('close', () => this.closed());
    this.socket = socket;
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

function destroy(this: Socket): void {
  this.destroy();
}
