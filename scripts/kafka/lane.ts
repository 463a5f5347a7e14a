// Carries the bytes of one direction of a proxied connection, in order and with a delay. The delay does not limit the
// throughput, because any number of pieces are under way at once.
import type { Socket } from 'node:net';

export interface LinkQuality {
  readonly delayMs: number;
  /** Bytes a second, 0 = no limit. */
  readonly rate: number;
}

export class Lane {
  readonly #quality: LinkQuality;
  readonly #to: Socket;
  readonly #queue: { readonly bytes: Buffer; readonly atMs: number }[] = [];
  #queuedBytes = 0;
  #freeAtMs = 0;
  #held = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param quality is read for each piece, so that it can change */
  constructor(quality: LinkQuality, to: Socket) {
    this.#quality = quality;
    this.#to = to;
  }

  /** Bytes under way, also those in the receiving socket's buffer. */
  get bytes(): number {
    return this.#queuedBytes + this.#to.writableLength;
  }

  /** @param extraMs more delay for this piece, which later pieces cannot overtake */
  send(bytes: Buffer, extraMs = 0): void {
    const now = performance.now();
    const { delayMs, rate } = this.#quality;
    this.#freeAtMs = Math.max(now, this.#freeAtMs) + (rate > 0 ? (bytes.length / rate) * 1000 : 0);
    this.#queue.push({ bytes, atMs: this.#freeAtMs + delayMs + extraMs });
    this.#queuedBytes += bytes.length;
    // An earlier piece in the queue is due first.
    if (this.#queue.length === 1) this.#flush();
  }

  hold(on: boolean): void {
    this.#held = on;
    this.#flush();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#queuedBytes = 0;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    if (this.#held) return;
    const now = performance.now();
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const waitMs = next.atMs - now;
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#flush(), waitMs);
        return;
      }
      this.#queue.shift();
      this.#queuedBytes -= next.bytes.length;
      if (!this.#to.destroyed) this.#to.write(next.bytes);
    }
  }
}
