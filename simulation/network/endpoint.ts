// One end of a TCP connection as Linux keeps it: bytes that came and were not read, bytes that have not arrived yet, and the
// error that the next call gets. It belongs to the kernel, so a process that stands still changes nothing here, and it
// outlives the process as long as bytes are on their way.
//
// As on Linux: a close with unread bytes sends a reset instead of FIN; bytes that came before a reset can still be read;
// bytes for a closed socket are answered with a reset; after FIN a reset is EPIPE, and no error for a reader.
import type { World } from '../world/world.ts';
import { UV } from './errno.ts';
import type { Links } from './links.ts';
import { Pipe } from './pipe.ts';

export interface HostPort {
  readonly address: string;
  readonly port: number;
}

export interface EndpointOptions {
  readonly host: string;
  readonly local: HostPort;
  readonly receiveBytes: number;
  readonly sendBytes: number;
}

/** Probes after the idle time, one a second, until the peer counts as gone. */
const KEEPALIVE_PROBES_MS = 10_000;

export class Endpoint {
  readonly host: string;
  readonly local: HostPort;
  readonly #world: World;
  readonly #links: Links;
  readonly #options: EndpointOptions;
  /** Called when it may have become readable or writable. */
  onChange: () => void = () => {};
  /** Called when it is closed and can hear nothing more. */
  onGone: () => void = () => {};
  /** Called when bytes have been lost for good. */
  onLost: () => void = () => {};
  #peer: Endpoint | undefined;
  #out: Pipe | undefined;
  #received: Uint8Array[] = [];
  #receivedBytes = 0;
  #hasFin = false;
  #hasSentFin = false;
  #isClosed = false;
  #isReset = false;
  /** The number of the error that the next call gets. */
  #error = 0;
  #isFull = false;
  #keepAliveMs: number | undefined;
  #lastHeardMs: number;

  constructor(parts: { readonly world: World; readonly links: Links }, options: EndpointOptions) {
    this.#world = parts.world;
    this.#links = parts.links;
    this.#options = options;
    this.host = options.host;
    this.local = options.local;
    this.#lastHeardMs = parts.world.nowMs;
  }

  /** Before the first byte. */
  join(peer: Endpoint): void {
    this.#peer = peer;
    this.#out = new Pipe(this.#world, this.#links, {
      from: this.host,
      to: peer.host,
      room: () => peer.#options.receiveBytes - peer.#receivedBytes,
      arrived: (bytes) => peer.#onBytes(bytes),
      finArrived: () => peer.#onFin(),
      resetArrived: () => peer.reset(),
      acknowledged: () => this.#onAcknowledged(),
      gaveUp: () => this.fail(UV.ETIMEDOUT),
      lost: () => this.onLost(),
    });
  }

  get peer(): Endpoint {
    if (this.#peer === undefined) throw new Error('the endpoint has no peer');
    return this.#peer;
  }

  /** True if getpeername() fails. */
  get isDisconnected(): boolean {
    return this.#isReset;
  }

  /** Nothing more happens to it. */
  get isGone(): boolean {
    return this.#isReset || (this.#isClosed && this.#hasFin && !this.#pipe.isBusy);
  }

  /** EPOLLHUP: nothing more goes either way. */
  get isHungUp(): boolean {
    return this.#isReset || (this.#hasFin && this.#hasSentFin);
  }

  get isReadable(): boolean {
    return this.#receivedBytes > 0 || this.#hasFin || this.#isReset;
  }

  /** As epoll says it: after a full buffer only once a third of it is free. */
  get isWritable(): boolean {
    if (this.#isReset || this.#hasSentFin) return true;
    const free = this.#options.sendBytes - this.#pipe.heldBytes;
    return this.#isFull ? free * 3 >= this.#options.sendBytes : free > 0;
  }

  /** Up to `max` bytes, or the number of EOF, EAGAIN or an error. */
  read(max: number): Uint8Array | number {
    if (this.#receivedBytes > 0) return this.#take(max);
    if (this.#hasFin) return UV.EOF;
    if (this.#error !== 0) return this.#takeError();
    return this.#isReset ? UV.EOF : UV.EAGAIN;
  }

  /** Copies as many of the bytes as there is room for. @returns how many, or the number of EAGAIN or an error */
  write(bytes: Uint8Array): number {
    if (this.#isReset || this.#hasSentFin) return this.#error === 0 ? UV.EPIPE : this.#takeError();
    const free = this.#options.sendBytes - this.#pipe.heldBytes;
    const length = Math.min(bytes.length, free);
    this.#isFull = length < bytes.length;
    if (length <= 0) return bytes.length === 0 ? 0 : UV.EAGAIN;
    this.#pipe.push(Uint8Array.prototype.slice.call(bytes, 0, length));
    return length;
  }

  /** Sends FIN behind the written bytes. @returns 0 or the number of an error */
  shutdown(): number {
    if (this.#isReset) return UV.ENOTCONN;
    if (!this.#hasSentFin) {
      this.#hasSentFin = true;
      this.#pipe.push(undefined);
    }
    return 0;
  }

  /** The socket is closed, by its process or because that has ended. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onChange = () => {};
    if (this.#receivedBytes > 0) this.#abort();
    else if (!this.#isReset) this.shutdown();
    this.#received = [];
    this.#receivedBytes = 0;
    this.#checkGone();
  }

  /** Closes with a reset (SO_LINGER 0). */
  abort(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onChange = () => {};
    this.#abort();
    this.#checkGone();
  }

  /** A reset has come. */
  reset(): void {
    if (this.#isReset) return;
    const isCloseWait = this.#hasFin && !this.#hasSentFin;
    this.fail(isCloseWait ? UV.EPIPE : UV.ECONNRESET);
  }

  /** The kernel gives the connection up. The peer hears nothing of it. */
  fail(error: number): void {
    if (this.#isReset) return;
    this.#isReset = true;
    this.#error = error;
    this.#pipe.stop();
    this.onChange();
    this.#checkGone();
  }

  /** Its machine has lost its power: it neither sends nor hears anything any more. */
  vanish(): void {
    this.#isClosed = true;
    this.onChange = () => {};
    this.#isReset = true;
    this.#received = [];
    this.#receivedBytes = 0;
    this.#pipe.stop();
    this.#checkGone();
  }

  /** Bytes that are written from now on do not arrive. */
  loseRest(): void {
    this.#pipe.loseRest();
  }

  /** @param idleMs undefined = no probes */
  setKeepAlive(idleMs: number | undefined): void {
    this.#keepAliveMs = idleMs;
  }

  /** The link has just been cut. If it stays so, keepalive probes notice that, unless bytes wait for acknowledgement. */
  watchSilence(): void {
    const idleMs = this.#keepAliveMs;
    if (idleMs === undefined || this.#isClosed || this.#isReset) return;
    const { nowMs, outside } = this.#world;
    const sinceMs = this.#links.cutSinceMs(this.host, this.peer.host);
    const dueMs = Math.max(this.#lastHeardMs + idleMs, nowMs) + KEEPALIVE_PROBES_MS;
    const check = () => {
      const isSilent = this.#links.cutSinceMs(this.host, this.peer.host) === sinceMs && sinceMs !== undefined;
      if (isSilent && !this.#isClosed && !this.#pipe.isBusy) this.fail(UV.ETIMEDOUT);
    };
    this.#world.at(dueMs, check, outside);
  }

  get #pipe(): Pipe {
    if (this.#out === undefined) throw new Error('the endpoint has no peer');
    return this.#out;
  }

  #onBytes(bytes: Uint8Array): void {
    this.#lastHeardMs = this.#world.nowMs;
    if (this.#isReset || this.#isClosed) {
      this.#answerWithReset();
      return;
    }
    this.#received.push(bytes);
    this.#receivedBytes += bytes.length;
    this.onChange();
  }

  #onFin(): void {
    this.#lastHeardMs = this.#world.nowMs;
    if (this.#isReset) return;
    this.#hasFin = true;
    this.onChange();
    this.#checkGone();
  }

  #onAcknowledged(): void {
    this.#lastHeardMs = this.#world.nowMs;
    if (this.#isFull && this.isWritable) this.onChange();
    if (this.#isClosed) this.#checkGone();
  }

  /** The kernel has no such connection any more. */
  #answerWithReset(): void {
    this.#isReset = true;
    this.#pipe.resetPeer();
    this.#checkGone();
  }

  #abort(): void {
    if (this.#isReset) return;
    this.#isReset = true;
    this.#pipe.resetPeer();
    this.#received = [];
    this.#receivedBytes = 0;
  }

  #takeError(): number {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  #take(max: number): Uint8Array {
    const length = Math.min(max, this.#receivedBytes);
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const head = this.#received[0] as Uint8Array;
      const part = head.subarray(0, length - filled);
      bytes.set(part, filled);
      filled += part.length;
      if (part.length === head.length) this.#received.shift();
      else this.#received[0] = head.subarray(part.length);
    }
    this.#receivedBytes -= length;
    // As Linux: small bits of room are not worth a packet.
    if (this.#receivedBytes * 2 <= this.#options.receiveBytes) this.peer.#pipe.roomMade();
    return bytes;
  }

  #checkGone(): void {
    if (this.isGone) this.onGone();
  }
}
