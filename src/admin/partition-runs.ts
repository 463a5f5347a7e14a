// The states of the partitions of a topic as runs of equal ones, so that a thousand partitions take no more room than one
// while all are well. Merges those of several processes.

/** The states of kafka/delivery/partition.ts, the worse one later. */
const STATES = ['gone', 'memory', 'catching-up', 'leaving', 'disk', 'held'] as const;

export interface PartitionState {
  readonly state: (typeof STATES)[number];
  /** Its oldest batch failed when it was last tried. */
  readonly failing: boolean;
}

/** Partitions with following numbers. */
export interface PartitionRun extends PartitionState {
  readonly first: number;
  /** This one too. */
  readonly last: number;
}

/** A bound for answers. Partitions after these runs are not listed. */
export const MAX_RUNS = 200;

/** @param states by the number of the partition */
export function runsOf(states: readonly PartitionState[]): readonly PartitionRun[] {
  const runs: PartitionRun[] = [];
  for (const [number, { state, failing }] of states.entries()) {
    const run = runs.at(-1);
    if (run?.state === state && run.failing === failing) runs[runs.length - 1] = { ...run, last: number };
    else if (runs.length === MAX_RUNS) break;
    else runs.push({ first: number, last: number, state, failing });
  }
  return runs;
}

/** Of each partition the worse state. */
export function mergeRuns(
  one: readonly PartitionRun[],
  other: readonly PartitionRun[],
): readonly PartitionRun[] {
  const [states, others] = [statesOf(one), statesOf(other)];
  const length = Math.max(states.length, others.length);
  return runsOf(Array.from({ length }, (_, at) => worseOf(states[at], others[at])));
}

function statesOf(runs: readonly PartitionRun[]): readonly PartitionState[] {
  return runs.flatMap((run) => new Array<PartitionState>(run.last - run.first + 1).fill(run));
}

const GONE: PartitionState = { state: 'gone', failing: false };

function worseOf(one: PartitionState = GONE, other: PartitionState = GONE): PartitionState {
  if (one.failing !== other.failing) return one.failing ? one : other;
  return STATES.indexOf(one.state) >= STATES.indexOf(other.state) ? one : other;
}
