// Writes log lines to standard output so that its reader can neither end nor block the process. If the reader is gone
// (EPIPE) or its disk is full (ENOSPC), lines are lost; if it has stopped, lines wait up to a bound and are then lost.
// Lost lines are counted and reported. It never throws.
//
// It uses Node's own stream, which writes pipes without blocking (measured on Linux, Node 20). pino's destination does
// not fit: a write that blocks holds one of Node's threads, and process.exit waits for it.
// Known limit: Node writes terminals synchronously, so a terminal stopped with Ctrl-S blocks.

/** The most that waits for a slow reader: days of a quiet gateway's log, seconds of a busy one's. */
export const MAX_WAITING_BYTES = 2 ** 20;

/** The part of process.stdout that is used. */
export interface OutputStream {
  write(line: string, done: (error?: Error | null) => void): boolean;
  readonly writableLength: number;
  readonly isTTY?: boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface LogOutputOptions {
  readonly stream: OutputStream;
  /** Turns a line from pino into the line to write. */
  readonly format: (line: string) => string;
  /** Called once the reader goes on, with the number of lines that were lost. */
  readonly onLost: (count: number) => void;
}

/** A destination for pino: call `flush` before the process ends. */
export class LogOutput {
  readonly #stream: OutputStream;
  readonly #format: (line: string) => string;
  readonly #onLost: (count: number) => void;
  #lost = 0;

  constructor({ stream, format, onLost }: LogOutputOptions) {
    this.#stream = stream;
    this.#format = format;
    this.#onLost = onLost;
    // Without a listener EPIPE would end the process. The callback of each write counts its line.
    stream.on('error', () => {});
  }

  write(line: string): void {
    if (this.#stream.writableLength + line.length > MAX_WAITING_BYTES) this.#lost += 1;
    else this.#stream.write(this.#format(line), this.#written);
  }

  /** Calls back once all lines have left the process, or after `deadlineMs` if the reader has stopped. */
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
