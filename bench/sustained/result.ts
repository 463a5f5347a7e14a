// The result of a sustained run, as in its JSON file, and the faults in it.
import type { LoadResult } from '../../load/report/result.ts';
import type { Circumstances } from '../report/circumstances.ts';
import { type FlatnessLimits, type Judgement, judgeFlatness } from './flatness.ts';
import type { Sample } from './sample.ts';

export interface Measured {
  readonly circumstances: Circumstances;
  readonly limits: FlatnessLimits;
  readonly everyMs: number;
  readonly samples: readonly Sample[];
  readonly load: LoadResult;
  /** Differences in the gateway's balance or the topic's offsets; empty if there are none. */
  readonly imbalances: readonly string[];
}

export interface SustainedResult extends Measured {
  readonly kind: 'sustained';
  /** Absent if the run was too short to be judged. */
  readonly flatness?: readonly Judgement[];
  /** Why the exit code is 1; empty if it is 0. */
  readonly faults: readonly string[];
}

/** Share of due messages that must have been sent. A message that was not sent has no latency. */
const SENT_SHARE = 0.99;

export function resultOf(measured: Measured): SustainedResult {
  const flatness = judgeFlatness(measured.samples, measured.limits);
  const faults = faultsOf(measured, flatness);
  return { kind: 'sustained', ...measured, ...(flatness !== undefined && { flatness }), faults };
}

function faultsOf({ load, samples, imbalances }: Measured, flatness: readonly Judgement[] | undefined) {
  const faults = [...load.faults, ...imbalances];
  if (flatness === undefined) faults.push('too few samples to judge');
  for (const { what, flat } of flatness ?? []) if (!flat) faults.push(`${what} not flat`);
  const { lines, unsent } = load.counts;
  const share = lines / Math.max(1, lines + unsent);
  if (share < SENT_SHARE)
    faults.push(`only ${(100 * share).toFixed(1)} % of the due lines were sent in time`);
  const restarts = samples.at(-1)?.restarts ?? 0;
  if (restarts > 0) faults.push(`${restarts} server processes crashed`);
  return faults;
}
