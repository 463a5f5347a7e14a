// The result of a run, as in its JSON file, and the faults in it.
import type { LoadPlan } from '../plan.ts';
import type { Verdict } from '../verification/verifier.ts';
import type { Counts } from './counters.ts';
import type { LatencySummary } from './histogram.ts';

export interface Latencies {
  /** From the time a message was due to its `stored`; absent without `seq`. */
  readonly confirmed?: LatencySummary;
  /** To its arrival at a consumer; absent if the topic was not read live. */
  readonly consumed?: LatencySummary;
  /** To its write: the delay by the load itself, and by a full socket. */
  readonly written: LatencySummary;
}

export interface StepResult {
  /** Messages a second: planned, and sent. */
  readonly rate: number;
  readonly sentPerSecond: number;
  readonly latencyMs: Latencies;
  readonly lost: number;
  /** Duplicated, reordered, corrupted or invented. */
  readonly wrong: number;
  /** Why the step failed; empty if it passed. */
  readonly why: readonly string[];
}

export interface LoadResult {
  /** The name of the run in its records. */
  readonly run: string;
  readonly startedAt: string;
  /** The user ended the load early. */
  readonly interrupted: boolean;
  readonly plan: Omit<LoadPlan, 'readBack' | 'token' | 'target'> & {
    readonly target: { readonly host: string; readonly port: number; readonly tls: boolean };
    readonly brokers: readonly string[];
    readonly topic: string | undefined;
  };
  /** From the first due message to the last confirmation. */
  readonly seconds: number;
  readonly counts: Counts;
  readonly readings: number;
  readonly sentPerSecond: number;
  readonly confirmedPerSecond: number;
  readonly codes: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly latencyMs: Latencies;
  /** User and system time of the processes with devices. */
  readonly loadCpuSeconds: number;
  /** Absent if the topic was not read. */
  readonly readBack?: Verdict;
  readonly steps?: readonly StepResult[];
  /** Messages a second of the highest step that passed; 0 if none did. */
  readonly highestRate?: number;
  /** Why the exit code is not 0; empty if it is 0. */
  readonly faults: readonly string[];
}

export function faultsOf(result: Omit<LoadResult, 'faults'>): string[] {
  const { counts, readBack, latencyMs, plan } = result;
  const faults: string[] = [];
  const add = (count: number, what: string) =>
    count > 0 && faults.push(`${count.toLocaleString('en-US')} ${what}`);
  if (counts.messages === 0) faults.push('nothing was sent');
  if (readBack !== undefined) {
    if (readBack.unread !== undefined) faults.push(lossUnknown(readBack.unread));
    else add(readBack.lost, 'lost');
    for (const kind of ['duplicated', 'reordered', 'corrupted', 'invented'] as const)
      add(readBack[kind], kind);
  }
  add(counts.away, 'devices without a connection at the end');
  add(counts.unconfirmed, 'never confirmed');
  add(counts.badWrong, 'bad lines not refused with the right code');
  const p99 = decisiveP99(latencyMs);
  if (plan.step === undefined && p99 !== undefined && p99 > plan.maxP99Ms)
    faults.push(`p99 is ${p99.toFixed(1)} ms, above ${plan.maxP99Ms}`);
  return faults;
}

export const lossUnknown = (why: string): string => `loss unknown, because Kafka could not be read (${why})`;

/** The only fault is that loss is unknown. */
export const isUnknown = ({ faults, readBack }: LoadResult): boolean =>
  readBack?.unread !== undefined && faults.length === 1;

/** The p99 that limits apply to: to the confirmation, or without confirmations to the consumer. */
export function decisiveP99({ confirmed, consumed }: Latencies): number | undefined {
  return confirmed?.p99 ?? consumed?.p99;
}
