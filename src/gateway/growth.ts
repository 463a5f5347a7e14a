// Measures how fast a number of bytes grows: over the last minute, or as long as it is known.

const WINDOW_MS = 60_000;
/** A window of less than this tells nothing. */
const MIN_WINDOW_MS = 2_000;
const SAMPLE_EVERY_MS = 1_000;

interface Sample {
  readonly bytes: number;
  readonly atMs: number;
}

export class Growth {
  #samples: Sample[] = [];

  /** @param now monotonic milliseconds */
  note(bytes: number, now: number): void {
    const newest = this.#samples.at(-1);
    if (newest !== undefined && now - newest.atMs < SAMPLE_EVERY_MS) return;
    // A part of a new window would be the time of the process's pause.
    this.#samples = this.#samples.filter(({ atMs }) => now - atMs <= WINDOW_MS);
    this.#samples.push({ bytes, atMs: now });
  }

  /** Negative while it shrinks. */
  get perSecond(): number {
    const [oldest] = this.#samples;
    const newest = this.#samples.at(-1);
    if (oldest === undefined || newest === undefined || newest.atMs - oldest.atMs < MIN_WINDOW_MS) return 0;
    return Math.round(((newest.bytes - oldest.bytes) / (newest.atMs - oldest.atMs)) * 1000);
  }
}
