// Writes the output of commands: messages for people on standard error, and lines on a stream. It waits for a slow
// reader and reports one that is gone.
import { printable } from '../config/printable.ts';

const NEWLINE = Buffer.from('\n');

export class Output {
  readonly #stream: NodeJS.WriteStream;
  #isGone = false;
  readonly #waiting = new Set<() => void>();

  /** @param left called when the reader is gone */
  constructor(stream: NodeJS.WriteStream, left: () => void = () => {}) {
    this.#stream = stream;
    const gone = () => {
      this.#isGone = true;
      this.#wake();
      left();
    };
    stream.on('error', gone);
    stream.on('close', gone);
    stream.on('drain', () => this.#wake());
  }

  /** False if the reader is gone. */
  async write(lines: readonly Buffer[]): Promise<boolean> {
    if (this.#isGone) return false;
    const bytes = Buffer.concat(lines.flatMap((line) => [line, NEWLINE]));
    if (!this.#stream.write(bytes) && !this.#isGone) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    return !this.#isGone;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** A message for people, on standard error so that it does not mix with the command's output. */
export function say(text: string): void {
  process.stderr.write(`sluice: ${printable(text)}\n`);
}
