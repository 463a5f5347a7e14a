// Raising the rate in steps: the next rate, and whether a step passed.
import type { LoadPlan, Step } from './plan.ts';
import type { Counts } from './report/counters.ts';
import { decisiveP99, type Latencies, lossUnknown, type StepResult } from './report/result.ts';
import type { Verdict } from './verification/verifier.ts';

/** A step reaches its rate if so much of the due messages was sent. */
const SENT_SHARE = 0.99;

export interface StepFigures {
  readonly latencyMs: Latencies;
  readonly counts: Counts;
  readonly countsBefore: Counts;
  /** Of all steps so far, and of all steps before this one. Undefined if the topic is not read. */
  readonly verdict: Verdict | undefined;
  readonly before: Verdict | undefined;
}

export function nextRate(rate: number, step: Step | undefined): number {
  if (step === undefined) return rate;
  return 'percent' in step ? Math.ceil(rate * (1 + step.percent / 100)) : rate + step.perSecond;
}

export function stepResult(plan: LoadPlan, rate: number, figures: StepFigures): StepResult {
  const { latencyMs, counts, countsBefore, verdict, before } = figures;
  const since = (name: keyof Counts) => counts[name] - countsBefore[name];
  const more = (name: 'lost' | 'duplicated' | 'reordered' | 'corrupted' | 'invented') =>
    (verdict?.[name] ?? 0) - (before?.[name] ?? 0);
  const lost = verdict?.unread === undefined ? Math.max(0, more('lost')) : 0;
  const wrong = more('duplicated') + more('reordered') + more('corrupted') + more('invented');
  const p99 = decisiveP99(latencyMs);
  const [sent, unsent] = [since('lines'), since('unsent')];
  const why: string[] = [];
  if (p99 === undefined) why.push('no latency was measured');
  else if (p99 > plan.maxP99Ms) why.push(`p99 ${p99.toFixed(1)} ms, allowed ${plan.maxP99Ms}`);
  if (sent < SENT_SHARE * (sent + unsent))
    why.push(`only ${((100 * sent) / (sent + unsent)).toFixed(1)} % were sent`);
  if (verdict?.unread !== undefined) why.push(lossUnknown(verdict.unread));
  if (lost > 0) why.push(`${lost} lost`);
  if (wrong > 0) why.push(`${wrong} duplicated, reordered, corrupted or invented`);
  if (since('refused') > 0) why.push(`${since('refused')} refused`);
  return {
    rate,
    sentPerSecond: (since('messages') * 1000) / plan.durationMs,
    latencyMs,
    lost,
    wrong,
    why,
  };
}
