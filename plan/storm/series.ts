// Counts of events over time, in bins of 10 ms.

const BIN_MS = 10;
const BINS_PER_SECOND = 1000 / BIN_MS;

export class Series {
  #bins = new Uint32Array(1024);
  #used = 0;
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(atMs: number): void {
    const bin = Math.max(0, Math.floor(atMs / BIN_MS));
    if (bin >= this.#bins.length) {
      const grown = new Uint32Array(Math.max(bin + 1, 2 * this.#bins.length));
      grown.set(this.#bins);
      this.#bins = grown;
    }
    this.#bins[bin] = (this.#bins[bin] as number) + 1;
    this.#used = Math.max(this.#used, bin + 1);
    this.#total++;
  }

  /** Seconds until so many events had come; Infinity if there are fewer. */
  secondsUntil(count: number): number {
    let sum = 0;
    for (let bin = 0; bin < this.#used; bin++) {
      sum += this.#bins[bin] as number;
      if (sum >= count) return ((bin + 1) * BIN_MS) / 1000;
    }
    return Number.POSITIVE_INFINITY;
  }

  perSecond(): number[] {
    const seconds = Math.ceil(this.#used / BINS_PER_SECOND);
    return Array.from({ length: seconds }, (_, second) => {
      const bins = this.#bins.subarray(second * BINS_PER_SECOND, (second + 1) * BINS_PER_SECOND);
      return bins.reduce((sum, count) => sum + count, 0);
    });
  }
}
