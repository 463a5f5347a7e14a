// The part that both byte sources share: a socket, and the taker of the moment. How bytes are read is theirs.
import type { Socket } from 'node:net';
import { NOBODY, type SourceTaker } from './byte-source.ts';

export abstract class SocketSource {
  protected abstract readonly socket: Socket;
  protected taker: SourceTaker = NOBODY;
  /** Between resume() and pause(). */
  protected isRead = false;

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

  /**
   * The socket has closed. V8 frees a closed TLS socket, and all that it refers to, only in a collection of the whole
   * heap. So it must not refer to the connection (docs/decisions/0083).
   */
  protected closed(): void {
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
