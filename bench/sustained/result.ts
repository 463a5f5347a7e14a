// What a sustained run found out, as its JSON file has it, and what of it is a fault.
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
  /** What the gateway's own balance or the topic's offsets say against it; empty where nothing. */
  readonly imbalances: readonly string[];
}

export interface SustainedResult extends Measured {
  readonly kind: 'sustained';
  /** Absent where the run was too short to be judged. */
  readonly flatness?: readonly Judgement[];
  /** Why the exit code is 1; empty where it is 0. */
  readonly faults: readonly string[];
}

/** Of what was due, so much must have been sent: what is not written in time has no latency. */
const SENT_SHARE = 0.99;

export function resultOf(measured: Measured): SustainedResult {
  const flatness = judgeFlatness(measured.samples, measured.limits);
  const faults = faultsOf(measured, flatness);
  return { kind: 'sustained', ...measured, ...(flatness !== undefined && { flatness }), faults };
}

function faultsOf({ load, samples, imbalances }: Measured, flatness: readonly Judgement[] | undefined) {
  const faults = [...load.faults, ...imbalances];
  if (flatness === undefined) faults.push('too few samples to say whether it is flat');
  for (const { what, flat } of flatness ?? []) if (!flat) faults.push(`${what} not flat`);
  const { lines, unsent } = load.counts;
  const share = lines / Math.max(1, lines + unsent);
  if (share < SENT_SHARE) faults.push(`only ${(100 * share).toFixed(1)} % of what was due was sent in time`);
  const restarts = samples.at(-1)?.restarts ?? 0;
  if (restarts > 0) faults.push(`${restarts} server processes crashed`);
  return faults;
}
