// Shows the progress of a sustained run: redrawn on a terminal, one line for each sample elsewhere.
import { LiveText } from '../../load/command/live-text.ts';
import { plainLine, screen } from '../../load/command/progress.ts';
import { Histogram } from '../../load/report/histogram.ts';
import type { Recent } from '../../load/report/totals.ts';
import type { Progress } from '../../load/run.ts';
import type { Sample } from './sample.ts';

const REDRAW_MS = 500;
const nothing = new Histogram().summary();

export class Display {
  readonly #text: LiveText;
  #progress: (() => Progress) | undefined;
  #held = '';
  #recent: Recent = {
    sentPerSecond: 0,
    confirmedPerSecond: 0,
    deliveredPerSecond: 0,
    confirmed: nothing,
    consumed: nothing,
  };

  constructor(stream: NodeJS.WriteStream) {
    this.#text = new LiveText(stream);
  }

  start(progress: () => Progress): void {
    this.#progress = progress;
    if (this.#text.redraws)
      this.#text.every(REDRAW_MS, () => `${screen(progress(), this.#recent)}\n${this.#held}`);
  }

  sampled(sample: Sample, recent: Recent): void {
    const { seconds, warmUp, residentMiB, descriptors } = sample;
    this.#recent = recent;
    this.#held = `RSS ${residentMiB.toFixed(1)} MiB, ${descriptors} descriptors`;
    if (this.#text.redraws || this.#progress === undefined) return;
    const when = `${seconds} s${warmUp ? ', warm-up' : ''}`;
    this.#text.line(`${when}: ${plainLine(this.#progress(), recent)}, ${this.#held}`);
  }

  /** Prints a line that stays. */
  note(text: string): void {
    this.#text.line(text);
  }

  /** May be called twice. */
  stop(): void {
    this.#text.stop();
  }
}
