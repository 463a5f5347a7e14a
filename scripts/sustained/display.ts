// What a sustained run looks like while it lasts: redrawn on a terminal, a line for each sample elsewhere.
import { createLogUpdate } from 'log-update';
import { plainLine, screen } from '../../src/cli/load/progress.ts';
import { Histogram } from '../../src/load/histogram.ts';
import type { Progress } from '../../src/load/run.ts';
import type { Recent } from '../../src/load/totals.ts';
import type { Sample } from './sample.ts';

const REDRAW_MS = 500;
const nothing = new Histogram().summary();

export class Display {
  readonly #stream: NodeJS.WriteStream;
  readonly #redraw: ReturnType<typeof createLogUpdate> | undefined;
  #progress: (() => Progress) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #held = '';
  #recent: Recent = {
    sentPerSecond: 0,
    confirmedPerSecond: 0,
    deliveredPerSecond: 0,
    confirmed: nothing,
    consumed: nothing,
  };

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#redraw = stream.isTTY ? createLogUpdate(stream) : undefined;
  }

  start(progress: () => Progress): void {
    this.#progress = progress;
    if (this.#redraw === undefined) return;
    const redraw = this.#redraw;
    this.#timer = setInterval(() => redraw(`${screen(progress(), this.#recent)}\n${this.#held}`), REDRAW_MS);
  }

  sampled(sample: Sample, recent: Recent): void {
    const { seconds, warmUp, residentMiB, descriptors } = sample;
    this.#recent = recent;
    this.#held = `RSS ${residentMiB.toFixed(1)} MiB, ${descriptors} descriptors`;
    if (this.#redraw !== undefined || this.#progress === undefined) return;
    const when = `${seconds} s${warmUp ? ', warm-up' : ''}`;
    this.#stream.write(`${when}: ${plainLine(this.#progress(), recent)}, ${this.#held}\n`);
  }

  /** A line that stays. */
  note(text: string): void {
    this.#redraw?.clear();
    this.#stream.write(`${text}\n`);
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
