// One answer that goes on, as its writer sees it: it is open or closed, and the client reads or does not. It holds at most
// one text that the client has not read, and sends it in pieces, so that a client that reads slowly is seen to read.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

const PIECE_BYTES = 16 * 1024;
const NOTHING = Buffer.alloc(0);

export class OutStream {
  readonly #response: ServerResponse;
  readonly #closed = new AbortController();
  #wroteAtMs = performance.now();
  #blockedSinceMs: number | undefined;
  /** Of the text that is being sent. */
  #rest: Buffer = NOTHING;

  constructor(response: ServerResponse) {
    this.#response = response;
    // A client that goes in the middle of a write is no error.
    response.on('error', () => {});
    response.on('drain', () => {
      this.#blockedSinceMs = undefined;
      this.#sendRest();
    });
    response.once('close', () => this.#closed.abort());
  }

  /** Aborts when the stream has ended, by either side. */
  get signal(): AbortSignal {
    return this.#closed.signal;
  }

  /** Milliseconds since the last text. */
  get quietMs(): number {
    return performance.now() - this.#wroteAtMs;
  }

  /** For how long the client has read nothing although something waits for it. */
  get blockedMs(): number {
    return this.#blockedSinceMs === undefined ? 0 : performance.now() - this.#blockedSinceMs;
  }

  /** False if the client has not read the text before: then this one is left out. */
  write(text: string | Buffer): boolean {
    if (this.#blockedSinceMs !== undefined || this.signal.aborted || this.#response.writableEnded)
      return false;
    this.#wroteAtMs = performance.now();
    this.#rest = Buffer.from(text);
    this.#sendRest();
    return true;
  }

  /** Resolves when there is room for the next text, at once if there is; false if the stream has ended. */
  async ready(): Promise<boolean> {
    const { signal } = this;
    while (this.#blockedSinceMs !== undefined && !signal.aborted)
      await once(this.#response, 'drain', { signal }).catch(() => {});
    return !signal.aborted;
  }

  end(text = ''): void {
    if (!this.#response.writableEnded) this.#response.end(Buffer.concat([this.#rest, Buffer.from(text)]));
    this.#rest = NOTHING;
  }

  destroy(): void {
    this.#response.destroy();
  }

  #sendRest(): void {
    while (this.#rest.length > 0 && this.#blockedSinceMs === undefined && !this.#response.writableEnded) {
      const piece = this.#rest.subarray(0, PIECE_BYTES);
      this.#rest = this.#rest.subarray(PIECE_BYTES);
      if (!this.#response.write(piece)) this.#blockedSinceMs = performance.now();
    }
  }
}
