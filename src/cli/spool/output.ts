// What the commands say: remarks for people on standard error, and lines onto a stream whose reader may be slow
// (then it is waited for) or gone (then that is said).
import { visible } from '../../config/printable.ts';

const NEWLINE = Buffer.from('\n');

export class Output {
  readonly #stream: NodeJS.WriteStream;
  #gone = false;
  #wake: () => void = () => undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    const gone = () => {
      this.#gone = true;
      this.#wake();
    };
    stream.on('error', gone);
    stream.on('close', gone);
    stream.on('drain', () => this.#wake());
  }

  /** False where nobody reads any more. */
  async write(lines: readonly Buffer[]): Promise<boolean> {
    if (this.#gone) return false;
    const bytes = Buffer.concat(lines.flatMap((line) => [line, NEWLINE]));
    if (!this.#stream.write(bytes) && !this.#gone) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !this.#gone;
  }
}

/** A line for people, apart from what the command prints. */
export function say(text: string): void {
  process.stderr.write(`sluice: ${visible(text)}\n`);
}
