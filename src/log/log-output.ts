// The way of log lines to standard output. Promises that whoever reads it can neither end nor block the
// process: a reader that is gone (EPIPE) or a full disk (ENOSPC) loses lines, a stopped reader makes lines wait
// up to a bound and then loses them, and what was lost is counted and said. Never throws.
//
// Node's own stream is used because it writes pipes without blocking (measured on Linux, Node 20). pino's usual
// destination does not fit: a write that blocks holds one of Node's threads, and process.exit waits for it.
// Known limit: a terminal held with Ctrl-S blocks, as Node writes terminals synchronously.

/** What may wait for a slow reader: days of a quiet gateway's log, seconds of a loud one's. */
export const MAX_WAITING_BYTES = 2 ** 20;

/** Asked of process.stdout; a test may bring its own. */
export interface OutputStream {
  write(line: string, done: (error?: Error | null) => void): boolean;
  readonly writableLength: number;
  readonly isTTY?: boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface LogOutputOptions {
  readonly stream: OutputStream;
  /** Turns pino's line into what is written. */
  readonly format: (line: string) => string;
  /** Called when the reader goes on, with the number of lines it did not get. */
  readonly onLost: (count: number) => void;
}

/** A pino destination: `write` for each line, `flush` before the end of the process. */
export class LogOutput {
  readonly #stream: OutputStream;
  readonly #format: (line: string) => string;
  readonly #onLost: (count: number) => void;
  #lost = 0;

  constructor({ stream, format, onLost }: LogOutputOptions) {
    this.#stream = stream;
    this.#format = format;
    this.#onLost = onLost;
    // An EPIPE without a listener ends the process. Each write's own callback counts its line.
    stream.on('error', () => {});
  }

  write(line: string): void {
    if (this.#stream.writableLength + line.length > MAX_WAITING_BYTES) this.#lost += 1;
    else this.#stream.write(this.#format(line), this.#written);
  }

  /** Calls back when all lines have left the process, or after `deadlineMs`: a stopped reader may never take them. */
  flush(done: () => void, deadlineMs = 1000): void {
    const endAt = performance.now() + deadlineMs;
    const look = (): void => {
      if (this.#stream.writableLength === 0 || performance.now() >= endAt) done();
      else setTimeout(look, 10);
    };
    look();
  }

  readonly #written = (error?: Error | null): void => {
    if (error) {
      this.#lost += 1;
    } else if (this.#lost > 0 && this.#stream.writableLength < MAX_WAITING_BYTES / 2) {
      const count = this.#lost;
      this.#lost = 0;
      this.#onLost(count);
    }
  };
}
