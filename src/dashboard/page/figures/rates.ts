// Rates from the differences of totals between two moments. Totals that fell, because a process was replaced, make a rate of 0.
import type { SnapshotShape } from '../api/shapes.ts';

/** Rates are means over this time, so that figures are calm and still follow. */
export const RATE_WINDOW_SECONDS = 5;
/** Percentiles are of the values of this time. */
export const LATENCY_WINDOW_SECONDS = 60;

export interface Span {
  readonly now: SnapshotShape;
  readonly before: SnapshotShape;
  readonly seconds: number;
}

/** The newest figures and those of `seconds` before, or the oldest known. Null with fewer than two. */
export function spanOf(recent: readonly SnapshotShape[], seconds: number): Span | null {
  const now = recent.at(-1);
  if (now === undefined) return null;
  const before =
    recent.findLast((one) => now.uptimeSeconds - one.uptimeSeconds >= seconds - 0.5) ?? recent[0];
  if (before === undefined || before === now) return null;
  const elapsed = now.uptimeSeconds - before.uptimeSeconds;
  return elapsed > 0 ? { now, before, seconds: elapsed } : null;
}

/** Per second; null if it is not known yet. */
export function rateOf(span: Span | null, read: (figures: SnapshotShape) => number): number | null {
  if (span === null) return null;
  return Math.max(0, (read(span.now) - read(span.before)) / span.seconds);
}
