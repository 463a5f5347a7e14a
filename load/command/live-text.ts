// Shows the progress of a run: redrawn in place on a terminal, one line from time to time elsewhere.
import { createLogUpdate } from 'log-update';
import { printable } from '../../src/config/printable.ts';

export class LiveText {
  readonly #stream: NodeJS.WriteStream;
  readonly #redraw: ReturnType<typeof createLogUpdate> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#redraw = stream.isTTY ? createLogUpdate(stream) : undefined;
  }

  /** True on a terminal. */
  get redraws(): boolean {
    return this.#redraw !== undefined;
  }

  /** Shows `text()` every `ms` until stop(). On a terminal it replaces the previous text. */
  every(ms: number, text: () => string): void {
    this.#timer = setInterval(() => (this.#redraw ? this.#redraw(text()) : this.line(text())), ms);
  }

  /** Prints a line that stays. */
  line(text: string): void {
    this.#redraw?.clear();
    this.#stream.write(`${printable(text)}\n`);
  }

  /** May be called twice. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#redraw?.clear();
    // Shows the cursor again.
    this.#redraw?.done();
  }
}
