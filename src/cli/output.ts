// Writes the output of commands: messages for people on standard error, and lines on a stream. It waits for a slow
// reader and reports one that is gone.
import { printable } from '../config/printable.ts';

const NEWLINE = Buffer.from('\n');

export class Output {
  readonly #stream: NodeJS.WriteStream;
  #isGone = false;
  #wake: () => void = () => undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    const gone = () => {
      this.#isGone = true;
      this.#wake();
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
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !this.#isGone;
  }
}

/** A message for people, on standard error so that it does not mix with the command's output. */
export function say(text: string): void {
  process.stderr.write(`sluice: ${printable(text)}\n`);
}
