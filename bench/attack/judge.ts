// Judges an attack: did the good devices, their data and the gateway come through? No I/O.
import type { Attack } from './attack.ts';
import type { Evidence, GoodFigures, GoodOutcome } from './evidence.ts';

/** Limits of the judge. */
export interface Limits {
  /** A p99 below it is good enough in any case. */
  readonly p99Ms: number;
  /** How many times the p99 at rest, or beside the sink, is allowed. */
  readonly p99Times: number;
  /** For each process. */
  readonly rssMiB: number;
}

export const LIMITS: Limits = { p99Ms: 20, p99Times: 2, rssMiB: 512 };

/** The problems in words; empty if the gateway held. */
export function problemsOf(attack: Attack, evidence: Evidence, limits: Limits): string[] {
  return [...faultsOf(attack, evidence, limits), ...delaysOf(attack, evidence, limits)];
}

/** The good devices' p99s that are too high. */
export function delaysOf(attack: Attack, evidence: Evidence, limits: Limits): string[] {
  if (attack.endsProcesses === true) return [];
  return latencies(evidence, limits)
    .filter(({ p99, allowed }) => p99 > allowed)
    .map(({ name, p99, allowed }) => `p99 of ${name} is ${p99.toFixed(0)} ms, allowed ${allowed.toFixed(0)}`);
}

/** All other problems. */
export function faultsOf(attack: Attack, evidence: Evidence, limits: Limits): string[] {
  const { good, rssMiB, restarts, exit, healthz, readyz, log } = evidence;
  const problems = [...goodProblems(attack, good), ...(attack.check?.(evidence) ?? [])];
  if (attack.endsProcesses !== true && restarts > 0)
    problems.push(`${restarts} server processes were started again`);
  const unanswered = healthz.unanswered + readyz.unanswered;
  if (unanswered > 0) problems.push(`${unanswered} questions to the admin port had no answer`);
  const rss = Math.max(...rssMiB);
  if (rss > limits.rssMiB) problems.push(`RSS is ${rss.toFixed(0)} MiB, allowed ${limits.rssMiB}`);
  if (exit !== 0) problems.push(`the gateway ended with ${exit}`);
  const crash = log.find((line) => CRASHED.test(line));
  if (crash !== undefined) problems.push(`the log has: ${crash.slice(0, 200)}`);
  return problems;
}

/** The worst p99 as a part of the allowed one. Above 1 it is too high. */
export function delayShare(evidence: Evidence, limits: Limits): number {
  return Math.max(...latencies(evidence, limits).map(({ p99, allowed }) => p99 / allowed));
}

const LATENCIES: readonly (readonly [string, (figures: GoodFigures) => number])[] = [
  ['stored', ({ storedMs }) => storedMs.p99],
  ['keepalives', ({ keepaliveMs }) => keepaliveMs.p99],
];

function latencies({ rest, sink, attacked }: Evidence, { p99Ms, p99Times }: Limits) {
  return LATENCIES.map(([name, of]) => ({
    name,
    p99: of(attacked),
    allowed: Math.max(p99Ms, p99Times * Math.max(of(rest), sink ? of(sink) : 0)),
  }));
}

/** Words that Node writes when an error ends a process. */
const CRASHED = /unhandled ?rejection|uncaught ?exception|FATAL ERROR|^Node\.js v/i;

function goodProblems({ endsProcesses }: Attack, good: GoodOutcome): string[] {
  const { readBack, unconfirmed, broken, keepalivesLost } = good;
  const problems: string[] = [];
  const add = (count: number, what: string) => count > 0 && problems.push(`${count} ${what}`);
  if (readBack === undefined || readBack.unread !== undefined)
    problems.push(`loss is unknown: ${readBack?.unread ?? 'the topic was not read'}`);
  else add(readBack.lost, 'readings of good devices lost');
  for (const kind of ['duplicated', 'reordered', 'corrupted', 'invented'] as const)
    add(readBack?.[kind] ?? 0, `readings of good devices ${kind}`);
  if (endsProcesses) return problems;
  add(unconfirmed, 'readings of good devices never confirmed');
  add(broken, 'connections of good devices broken');
  add(keepalivesLost, 'keepalives of good devices without an answer');
  return problems;
}
