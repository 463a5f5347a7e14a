// The byte source of a TLS connection whose handshake is done.
import type { ByteSource } from './byte-source.ts';
import { RecordCount, recordTurns } from './record-turns.ts';
import type { Slab } from './slabs.ts';
import { SocketSource } from './socket-source.ts';

const EMPTY = Buffer.alloc(0);

export class TlsSource extends SocketSource implements ByteSource {
  /** Records of the read within which the source was paused: up to 64 KiB, in one piece however small they are. */
  #unread = EMPTY;
  #unreadLength = 0;
  #endIsUnread = false;
  readonly #records = new RecordCount();
  /** It waits for its turn, whether or not the taker wants to read. */
  #waits = false;

  get isTls(): boolean {
    return true;
  }

  get unreadBytes(): number {
    return this.#unread.length;
  }

  resume(): void {
    this.isRead = true;
    if (this.#waits) return;
    if (this.#hasUnread) process.nextTick(() => this.#readAgain());
    else this.startReading();
  }

  get #hasUnread(): boolean {
    return this.#unreadLength > 0 || this.#endIsUnread;
  }

  onRecord(): void {
    if (!this.#keeps && this.#records.add()) this.#wait();
  }

  override onBytes(bytes: Uint8Array, slab: Slab | undefined): void {
    if (this.#keeps) this.#keep(bytes);
    else this.taker.onBytes(bytes, slab);
  }

  /** The taker does not get the bytes that come. */
  get #keeps(): boolean {
    return !this.isRead || this.#waits || this.#hasUnread;
  }

  #wait(): void {
    this.#waits = true;
    this.socket.pause();
    recordTurns.wait(() => {
      this.#waits = false;
      this.#readAgain();
    });
  }

  #keep(bytes: Uint8Array): void {
    // The socket of a fresh source is read already.
    if (this.#unreadLength === 0) this.socket.pause();
    const length = this.#unreadLength + bytes.length;
    const isGrown = length > this.#unread.length;
    if (isGrown) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#unread.length));
      grown.set(this.#unread.subarray(0, this.#unreadLength));
      this.#unread = grown;
    }
    this.#unread.set(bytes, this.#unreadLength);
    this.#unreadLength = length;
    if (isGrown) this.taker.onUnread?.();
  }

  override onEnd(): void {
    if (this.#hasUnread) this.#endIsUnread = true;
    else this.taker.onEnd();
  }

  #readAgain(): void {
    if (!this.isRead || this.#waits || this.destroyed) return;
    const bytes = this.#unread.subarray(0, this.#unreadLength);
    this.#unread = EMPTY;
    this.#unreadLength = 0;
    if (bytes.length > 0) this.taker.onBytes(bytes, undefined);
    if (!this.isRead || this.destroyed) return;
    if (!this.#endIsUnread) this.startReading();
    else {
      this.#endIsUnread = false;
      this.taker.onEnd();
    }
  }
}
