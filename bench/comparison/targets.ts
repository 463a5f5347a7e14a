// The targets for the cost of a message beside a peer's, in the same run. Limits hold for the machine class of docs/benchmarks.md.
import { MAX_P99_MS } from '../report/targets.ts';
import { median } from '../statistics.ts';
import type { ComparisonFile } from './result.ts';

export interface ComparisonTarget {
  readonly scenario: string;
  /** Whose figure it is. */
  readonly contestant: string;
  readonly figure: 'cpuUs' | 'p99Ms';
  /** In units of this contestant's figure, turn by turn. Absent: as it is. */
  readonly against?: string;
  readonly value: number;
  readonly about: string;
}

/** Issue 23 measured rsyslog with a p99 of 105 ms at 2,000 messages a second, so with a linger of 100 ms. */
const RSYSLOG = 'rsyslog-100ms';

export const COMPARISON_TARGETS: readonly ComparisonTarget[] = [
  ofPeer(
    'latency',
    'sluice',
    1.3,
    'CPU a message at 2,000 messages a second, relative to rsyslog with a linger of 100 ms',
  ),
  ofPeer('latency', 'sluice-two', 1.6, 'the same with two processes'),
  ofPeer(
    'steady',
    'sluice-two',
    1,
    'CPU a message at 20,000 messages a second with two processes, relative to rsyslog with a linger of 100 ms',
  ),
  p99('latency', 'sluice', 'ms from socket to consumer at 2,000 messages a second, p99'),
  p99('latency', 'sluice-two', 'the same with two processes'),
  p99('steady', 'sluice', 'ms from socket to consumer at 20,000 messages a second, p99'),
  p99('steady', 'sluice-two', 'the same with two processes'),
];

function ofPeer(scenario: string, contestant: string, value: number, about: string): ComparisonTarget {
  return { scenario, contestant, figure: 'cpuUs', against: RSYSLOG, value, about };
}

function p99(scenario: keyof typeof MAX_P99_MS, contestant: string, about: string): ComparisonTarget {
  return { scenario, contestant, figure: 'p99Ms', value: MAX_P99_MS[scenario], about };
}

/** Of each turn the figure, or its ratio to that of the same turn of the other. Empty if it was not measured. */
export function valuesOfTarget({ contestants }: ComparisonFile, target: ComparisonTarget): number[] {
  const { scenario, contestant, figure, against } = target;
  const turnsOf = (name: string) =>
    contestants
      .find((one) => one.name === name)
      ?.turns[scenario]?.map((turn) => turn[figure] ?? Number.NaN) ?? [];
  const ours = turnsOf(contestant);
  if (against === undefined) return ours;
  const theirs = turnsOf(against);
  return theirs.length === 0 ? [] : ours.map((value, turn) => value / (theirs[turn] ?? Number.NaN));
}

/** One text for each target that was measured and missed, and for each contestant with lost or doubled messages. */
export function missedTargets(file: ComparisonFile): string[] {
  return COMPARISON_TARGETS.flatMap((target) => {
    const values = valuesOfTarget(file, target);
    if (values.length === 0) return [];
    const measured = median(values);
    return measured <= target.value
      ? []
      : [
          `${target.scenario}, ${target.contestant}: ${target.about}: ${measured.toPrecision(3)}, must be at most ${target.value}`,
        ];
  });
}

/** Contestants of our own whose messages were lost or doubled, in words. A peer's are only shown. */
export function unproven({ contestants }: ComparisonFile): string[] {
  return contestants
    .filter(({ name, lost, duplicated }) => name.startsWith('sluice') && lost + duplicated > 0)
    .map(({ name, lost, duplicated }) => `${name}: ${lost} messages were lost, ${duplicated} came twice`);
}
