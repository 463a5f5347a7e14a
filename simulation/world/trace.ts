// The trace of a world: its lines in words, and a hash of all lines and of the time and owner of each event. Two worlds
// with the same hash did the same. It keeps the last lines only.
import { createHash } from 'node:crypto';

/** Lines that are kept for a report. */
const KEPT = 2000;

export class Trace {
  readonly #hash = createHash('sha256');
  readonly #numbers = new Float64Array(2);
  readonly #bytes = new Uint8Array(this.#numbers.buffer);
  readonly #onLine: ((line: string) => void) | undefined;
  #lines: string[] = [];

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  event(atMs: number, pid: number): void {
    this.#numbers[0] = atMs;
    this.#numbers[1] = pid;
    this.#hash.update(this.#bytes);
  }

  line(line: string): void {
    this.#hash.update(line);
    this.#onLine?.(line);
    if (this.#lines.push(line) >= 2 * KEPT) this.#lines = this.#lines.slice(-KEPT);
  }

  /** The last lines, at least 2,000 if there were so many. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Of everything so far, in 16 hexadecimal digits. */
  get hash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }
}
