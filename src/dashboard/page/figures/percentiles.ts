// Percentiles of the values that a histogram counted between two moments. A value is known to its bucket; within it, values
// are taken to be spread evenly.
import type { HistogramShape } from '../api/shapes.ts';

/** The values counted after `before`. A histogram that fell, because a process was replaced, counts as new. */
export function differenceOf(now: HistogramShape, before: HistogramShape | undefined): HistogramShape {
  if (before === undefined) return now;
  const counts = now.counts.map((count, at) => count - (before.counts[at] ?? 0));
  if (counts.some((count) => count < 0)) return now;
  return { bounds: now.bounds, counts, sum: now.sum - before.sum };
}

export function countIn({ counts }: HistogramShape): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** @param share from 0 to 1 @returns null if nothing was counted; Infinity above the last bound */
export function percentileOf(histogram: HistogramShape, share: number): number | null {
  const total = countIn(histogram);
  if (total === 0) return null;
  let below = 0;
  for (const [at, count] of histogram.counts.entries()) {
    const isReached = count > 0 && below + count >= share * total;
    if (!isReached) {
      below += count;
      continue;
    }
    const upper = histogram.bounds[at];
    if (upper === undefined) return Number.POSITIVE_INFINITY;
    const lower = histogram.bounds[at - 1] ?? 0;
    return lower + (upper - lower) * ((share * total - below) / count);
  }
  return null;
}
