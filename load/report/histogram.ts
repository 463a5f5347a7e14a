// A histogram of latencies in bounded memory, after HdrHistogram (hdrhistogram.org).
//
// - values are whole microseconds; each value below 256 has its own counter
// - above, each power of two is split into 128 counters, so a percentile is at most 1/128 (0.8 %) too high
// - the highest counter holds everything from 71 minutes on; the maximum is exact
// - histograms of several processes add up without loss

const SUB_BITS = 7;
const SUB_COUNT = 2 ** SUB_BITS;
const EXACT_BELOW = 2 * SUB_COUNT;
const HIGHEST = 2 ** 32 - 1;
/** 256 exact counters and 128 for each of the 24 powers of two up to 2^32. */
const COUNTERS = EXACT_BELOW + (32 - SUB_BITS - 1) * SUB_COUNT;

/** Milliseconds, for reports. All are 0 if nothing was measured. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** A histogram for another process: index and value of each counter that is not 0. */
export interface PackedHistogram {
  readonly pairs: readonly number[];
  readonly maxUs: number;
}

export class Histogram {
  readonly #counters = new Float64Array(COUNTERS);
  #count = 0;
  #maxUs = 0;

  get count(): number {
    return this.#count;
  }

  /** A negative value, of two clocks that differ slightly, counts as 0. */
  record(valueUs: number, times = 1): void {
    const value = Math.min(HIGHEST, Math.max(0, Math.round(valueUs)));
    const at = placeOf(value);
    this.#counters[at] = (this.#counters[at] as number) + times;
    this.#count += times;
    if (valueUs > this.#maxUs) this.#maxUs = valueUs;
  }

  /**
   * Microseconds by nearest rank: at least this share of the values is not higher. Rounded up to the end of the
   * counter, but never above the maximum. 0 without values.
   */
  percentile(share: number): number {
    const rank = Math.max(1, Math.ceil(this.#count * share));
    let passed = 0;
    for (let at = 0; at < COUNTERS; at++) {
      passed += this.#counters[at] as number;
      if (passed >= rank) return Math.min(this.#maxUs, upperEnd(at));
    }
    return this.#maxUs;
  }

  summary(): LatencySummary {
    const ms = (share: number) => this.percentile(share) / 1000;
    const max = this.#maxUs / 1000;
    return { count: this.#count, p50: ms(0.5), p95: ms(0.95), p99: ms(0.99), p999: ms(0.999), max };
  }

  /** Empties the histogram and returns its content. */
  take(): PackedHistogram {
    const pairs: number[] = [];
    if (this.#count > 0)
      for (const [at, times] of this.#counters.entries()) if (times > 0) pairs.push(at, times);
    const packed = { pairs, maxUs: this.#maxUs };
    this.#counters.fill(0);
    this.#count = 0;
    this.#maxUs = 0;
    return packed;
  }

  add({ pairs, maxUs }: PackedHistogram): void {
    for (let index = 0; index + 1 < pairs.length; index += 2) {
      const at = pairs[index] as number;
      const times = pairs[index + 1] as number;
      this.#counters[at] = (this.#counters[at] as number) + times;
      this.#count += times;
    }
    this.#maxUs = Math.max(this.#maxUs, maxUs);
  }
}

function placeOf(value: number): number {
  if (value < EXACT_BELOW) return value;
  const shift = 31 - Math.clz32(value) - SUB_BITS;
  return EXACT_BELOW + (shift - 1) * SUB_COUNT + ((value >>> shift) - SUB_COUNT);
}

function upperEnd(at: number): number {
  if (at < EXACT_BELOW) return at;
  const shift = Math.floor((at - EXACT_BELOW) / SUB_COUNT) + 1;
  const sub = ((at - EXACT_BELOW) % SUB_COUNT) + SUB_COUNT;
  return (sub + 1) * 2 ** shift - 1;
}
