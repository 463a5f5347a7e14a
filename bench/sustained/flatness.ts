// Whether a gateway under a steady load stays as it is. The rule: of the samples after the warm-up, the median of the
// last third is held against that of the first third. Medians, so that one hiccup of the machine decides nothing.
import { median } from '../statistics.ts';
import type { Sample } from './sample.ts';

export interface FlatnessLimits {
  /** RSS may grow by so much of the first third, and so many MiB. */
  readonly rssPercent: number;
  readonly rssMib: number;
  /** So many more or fewer. */
  readonly descriptors: number;
  /** p99 may become so many times that of the first third, and so many ms. */
  readonly p99Times: number;
  readonly p99Ms: number;
}

export interface Judgement {
  readonly what: 'RSS MiB' | 'descriptors' | 'p99 to confirmation ms' | 'p99 to consumer ms';
  /** Medians; null where an interval without any message is in the middle. */
  readonly first: number | null;
  readonly last: number | null;
  readonly lowest: number;
  readonly highest: number;
  readonly flat: boolean;
}

/** Two a third: the least that has a median worth the name. */
export const MIN_SAMPLES = 6;

/** Undefined where there are fewer than MIN_SAMPLES after the warm-up. */
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
    // An interval in which nothing arrived is not a fast one.
    judge('p99 to confirmation ms', (sample) => sample.confirmedMs?.p99 ?? Infinity, p99),
    judge('p99 to consumer ms', (sample) => sample.consumerMs?.p99 ?? Infinity, p99),
  ];
}

function thirdsOf(values: readonly number[]): [first: number, last: number] {
  const third = Math.floor(values.length / 3);
  return [median(values.slice(0, third)), median(values.slice(-third))];
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
