// Decides whether the figures of a gateway under a steady load are flat: of the samples after the warm-up, it compares the
// median of the last third with that of the first. Medians, so that one hiccup of the machine decides nothing.
import { median } from '../statistics.ts';
import type { Sample } from './sample.ts';

export interface FlatnessLimits {
  /** RSS may grow by this share of the first third, plus `rssMib`. */
  readonly rssPercent: number;
  readonly rssMib: number;
  /** Allowed difference, up and down. */
  readonly descriptors: number;
  /** p99 may grow to this multiple of the first third, plus `p99Ms`. */
  readonly p99Times: number;
  readonly p99Ms: number;
}

export interface Judgement {
  readonly what: 'RSS MiB' | 'descriptors' | 'p99 to confirmation ms' | 'p99 to consumer ms';
  /** Medians. Null if the median is an interval without messages. */
  readonly first: number | null;
  readonly last: number | null;
  readonly lowest: number;
  readonly highest: number;
  readonly flat: boolean;
}

/** Two for each third. */
export const MIN_SAMPLES = 6;

/** Undefined with fewer than MIN_SAMPLES samples after the warm-up. */
export function judgeFlatness(all: readonly Sample[], limits: FlatnessLimits): Judgement[] | undefined {
  const samples = all.filter(({ warmUp }) => !warmUp);
  if (samples.length < MIN_SAMPLES) return undefined;
  const { rssPercent, rssMib, descriptors, p99Times, p99Ms } = limits;
  const judge = (
    what: Judgement['what'],
    value: (sample: Sample) => number,
    range: (first: number) => readonly [lowest: number, highest: number],
  ): Judgement => {
    const [first, last] = thirdsOf(samples.map(value));
    const [lowest, highest] = range(first);
    const flat = Number.isFinite(last) && last >= lowest && last <= highest;
    return { what, first: finite(first), last: finite(last), lowest, highest, flat };
  };
  const p99 = (first: number) => [0, first * p99Times + p99Ms] as const;
  return [
    judge(
      'RSS MiB',
      (sample) => sample.residentMiB,
      (first) => [0, first * (1 + rssPercent / 100) + rssMib],
    ),
    judge(
      'descriptors',
      (sample) => sample.descriptors,
      (first) => [first - descriptors, first + descriptors],
    ),
    // An interval without messages must not count as a fast one.
    judge('p99 to confirmation ms', (sample) => sample.confirmedMs?.p99 ?? Infinity, p99),
    judge('p99 to consumer ms', (sample) => sample.consumerMs?.p99 ?? Infinity, p99),
  ];
}

function thirdsOf(values: readonly number[]): [first: number, last: number] {
  const third = Math.floor(values.length / 3);
  return [median(values.slice(0, third)), median(values.slice(-third))];
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
