// A histogram with fixed bounds: an array of counts that hot paths raise, and its value, which adds up over processes. It
// knows no metric; admin/figures.ts names it.

export interface HistogramValue {
  /** Upper bounds, rising. */
  readonly bounds: readonly number[];
  /** How many values each bound has caught, not cumulative. The last one is for values above all bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  /** @param bounds upper bounds, rising, each of them included */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** @param times how often the value occurred */
  record(value: number, times = 1): void {
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] as number)) at++;
    this.#counts[at] = (this.#counts[at] as number) + times;
    this.#sum += value * times;
  }

  /** A copy. */
  get value(): HistogramValue {
    return { bounds: this.#bounds, counts: [...this.#counts], sum: this.#sum };
  }
}

export function emptyHistogram(bounds: readonly number[]): HistogramValue {
  return { bounds, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
}

/** @param values with these bounds */
export function mergeHistograms(
  bounds: readonly number[],
  values: readonly HistogramValue[],
): HistogramValue {
  const counts = Array.from({ length: bounds.length + 1 }, (_, at) =>
    values.reduce((total, value) => total + (value.counts[at] ?? 0), 0),
  );
  return { bounds, counts, sum: values.reduce((total, { sum }) => total + sum, 0) };
}

/** How many values it holds. */
export function countOf({ counts }: Pick<HistogramValue, 'counts'>): number {
  return counts.reduce((total, count) => total + count, 0);
}

/**
 * The quantile as histogram_quantile() of Prometheus estimates it: values are taken to be spread evenly in their bucket.
 * @param share from 0 to 1
 * @returns null without values; the last bound for values above all bounds
 */
export function quantileOf({ bounds, counts }: Omit<HistogramValue, 'sum'>, share: number): number | null {
  const total = countOf({ counts });
  if (total === 0) return null;
  let below = 0;
  for (const [at, count] of counts.entries()) {
    const upper = bounds[at];
    if (upper === undefined) break;
    if (count > 0 && below + count >= share * total) {
      const lower = bounds[at - 1] ?? 0;
      return lower + (upper - lower) * ((share * total - below) / count);
    }
    below += count;
  }
  return bounds.at(-1) ?? null;
}

/** The values since `before`. Undefined if the histogram has begun again. */
export function since(
  before: HistogramValue,
  { bounds, counts, sum }: HistogramValue,
): HistogramValue | undefined {
  const differences = counts.map((count, at) => count - (before.counts[at] ?? 0));
  if (differences.some((difference) => difference < 0)) return undefined;
  return { bounds, counts: differences, sum: sum - before.sum };
}
