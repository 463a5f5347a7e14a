// The last 15 minutes of the gateway or of one process: a sample a second, in a ring of numbers (245 kB). It is read as
// columns.
import type { Figures } from '../snapshot.ts';
import { COLUMNS, type Sampled, sampleOf } from './columns.ts';

export const MAX_SAMPLES = 900;

export class History {
  /** The samples one after the other; NaN is unknown. */
  readonly #ring = new Float64Array(MAX_SAMPLES * COLUMNS.length);
  #next = 0;
  #filled = 0;
  #before: Figures | undefined;

  get size(): number {
    return this.#filled;
  }

  add(sampled: Sampled): void {
    const values = sampleOf(sampled, this.#before).map((value) => value ?? Number.NaN);
    this.#before = sampled.figures;
    this.#ring.set(values, this.#next * COLUMNS.length);
    this.#next = (this.#next + 1) % MAX_SAMPLES;
    this.#filled = Math.min(this.#filled + 1, MAX_SAMPLES);
  }

  /** By name, oldest first. */
  get columns(): Record<string, (number | null)[]> {
    const first = (this.#next - this.#filled + MAX_SAMPLES) % MAX_SAMPLES;
    return Object.fromEntries(
      COLUMNS.map((name, column) => [
        name,
        Array.from({ length: this.#filled }, (_, n) => this.#value((first + n) % MAX_SAMPLES, column)),
      ]),
    );
  }

  /** By name. Undefined before the first. */
  get latest(): Record<string, number | null> | undefined {
    if (this.#filled === 0) return undefined;
    const last = (this.#next - 1 + MAX_SAMPLES) % MAX_SAMPLES;
    return Object.fromEntries(COLUMNS.map((name, column) => [name, this.#value(last, column)]));
  }

  #value(sample: number, column: number): number | null {
    const value = this.#ring[sample * COLUMNS.length + column];
    return value === undefined || Number.isNaN(value) ? null : value;
  }
}
