// Shows on a terminal how many records of a spool are sent. It writes to standard error.

const PROGRESS_EVERY_MS = 500;

/** A line of progress that overwrites itself. Only on a terminal. */
export class Progress {
  readonly #title: string;
  readonly #all: number;
  readonly #beganMs = performance.now();
  #shownMs = Number.NEGATIVE_INFINITY;

  constructor(title: string, all: number) {
    this.#title = title;
    this.#all = all;
  }

  show(left: number): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#shownMs < PROGRESS_EVERY_MS) return;
    this.#shownMs = now;
    const sent = this.#all - left;
    const perSecond = Math.round(sent / Math.max(0.001, (now - this.#beganMs) / 1000));
    process.stderr.write(`\r\x1b[K${this.#title}: ${sent} of ${this.#all} records sent, ${perSecond}/s`);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}
