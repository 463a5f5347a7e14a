// Text about what is going on: redrawn in place on a terminal, a line now and then elsewhere.
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

  /** It is a terminal. */
  get redraws(): boolean {
    return this.#redraw !== undefined;
  }

  /** Shows `text()` every so often until stop(), in the place of the last one where it can. */
  every(ms: number, text: () => string): void {
    this.#timer = setInterval(() => (this.#redraw ? this.#redraw(text()) : this.line(text())), ms);
  }

  /** A line that stays. */
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
