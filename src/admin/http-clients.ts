// The open connections of the admin port, so that there are never too many. It reads no request.
import type { Socket } from 'node:net';

/**
 * The open connections. If there are too many, the one that has been idle longest is closed, so that idle clients never
 * keep a probe out. A request that is not complete counts as idle. A stream is never closed for room: streams.ts leaves
 * enough of it.
 */
export class Clients {
  readonly #max: number;
  /** Ordered by the time at which each became idle. */
  readonly #idle = new Set<Socket>();
  readonly #answered = new Set<Socket>();
  readonly #streaming = new Set<Socket>();

  constructor(max: number) {
    this.#max = max;
  }

  add(socket: Socket): void {
    if (this.#idle.size + this.#answered.size + this.#streaming.size >= this.#max) {
      const [victim] = this.#idle.size > 0 ? this.#idle : this.#answered;
      if (victim !== undefined) this.#close(victim);
    }
    this.#idle.add(socket);
    socket.once('close', () => this.#forget(socket));
  }

  isAnswered(socket: Socket): boolean {
    return this.#answered.has(socket) || this.#streaming.has(socket);
  }

  begin(socket: Socket): void {
    this.#idle.delete(socket);
    this.#answered.add(socket);
  }

  /** The answer that has begun is a stream. */
  streams(socket: Socket): void {
    this.#answered.delete(socket);
    this.#streaming.add(socket);
  }

  end(socket: Socket): void {
    this.#answered.delete(socket);
    this.#streaming.delete(socket);
    if (!socket.destroyed) this.#idle.add(socket);
  }

  /** Removes it at once: 'close' follows a turn later, and more connections may come before it. */
  #close(socket: Socket): void {
    this.#forget(socket);
    socket.destroy();
  }

  #forget(socket: Socket): void {
    this.#idle.delete(socket);
    this.#answered.delete(socket);
    this.#streaming.delete(socket);
  }
}
