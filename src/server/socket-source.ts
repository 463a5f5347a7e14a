// The part that both byte sources share: a socket, and the taker of the moment. Bytes that wait are theirs.
import type { Socket } from 'node:net';
import { NOBODY, type SourceTaker } from './byte-source.ts';
import { readInPlace, type SocketReader } from './device-reader.ts';
import type { Slab } from './slabs.ts';

export abstract class SocketSource implements SocketReader {
  protected readonly socket: Socket;
  protected taker: SourceTaker = NOBODY;
  /** Between resume() and pause(). */
  protected isRead = false;

  /**
   * @param socket nothing was read from it
   * @param others number of other open connections
   */
  constructor(socket: Socket, others?: number) {
    this.socket = socket;
    readInPlace(socket, this, others);
  }

  get destroyed(): boolean {
    return this.socket.destroyed;
  }

  get writable(): boolean {
    return this.socket.writable;
  }

  get writableLength(): number {
    return this.socket.writableLength;
  }

  take(taker: SourceTaker): void {
    this.taker = taker;
  }

  pause(): void {
    this.isRead = false;
    this.socket.pause();
  }

  write(data: string | Uint8Array, taken?: () => void): void {
    this.socket.write(data, taken);
  }

  end(data?: string): void {
    if (data === undefined) this.socket.end();
    else this.socket.end(data);
  }

  destroy(): void {
    this.socket.destroy();
  }

  onBytes(bytes: Uint8Array, slab: Slab | undefined): void {
    this.taker.onBytes(bytes, slab);
  }

  onEnd(): void {
    this.taker.onEnd();
  }

  /**
   * The socket has closed. V8 frees a closed TLS socket, and all that it refers to, only in a collection of the whole
   * heap. So it must not refer to the connection (docs/decisions/0083).
   */
  onClose(): void {
    const { taker } = this;
    this.taker = NOBODY;
    taker.onClose();
  }

  /** Bytes that come by `onread` pass by the stream, so it need not flow, which would cost a tick and three reads. */
  protected startReading(): void {
    if (this.socket.listenerCount('data') === 0) this.socket.read(0);
    else this.socket.resume();
  }
}
