// Tells people of histories: a line for each, the table at the end, and all that is known of one that failed.
import type { Tally, Verdict } from '../judge/judge.ts';
import type { HistoryResult } from './history.ts';
import { stepInWords } from './plan.ts';
import { sceneInWords } from './scene.ts';

/** Lines of the trace that are shown of a failed history. */
const TRACE_LINES = 60;
const HOUR_MS = 3_600_000;

export interface Totals {
  readonly histories: number;
  readonly failed: number;
  readonly simulatedMs: number;
  readonly realMs: number;
  /** Steps that were played, by the name of their kind. */
  readonly steps: ReadonlyMap<string, number>;
  readonly issued: number;
  readonly stored: number;
  readonly delivered: number;
  readonly missing: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  readonly resent: number;
  /** Of the missing and the doubled ones, those that an exception allows, by the exception. */
  readonly missingBy: Tally;
  readonly doubledBy: Tally;
}

/** Adds up histories, so that a run of hours keeps none of them. */
export class TotalsSoFar {
  readonly #steps = new Map<string, number>();
  readonly #missingBy: Record<string, number> = {};
  readonly #doubledBy: Record<string, number> = {};
  readonly #sums = {
    histories: 0,
    failed: 0,
    simulatedMs: 0,
    realMs: 0,
    issued: 0,
    stored: 0,
    delivered: 0,
    missing: 0,
    doubled: 0,
    outOfOrder: 0,
    resent: 0,
  };

  add({ simulatedMs, realMs, findings, verdict, steps }: HistoryResult): void {
    const sums = this.#sums;
    sums.histories++;
    sums.simulatedMs += simulatedMs;
    sums.realMs += realMs;
    if (findings.length > 0) sums.failed++;
    for (const { kind } of steps) this.#steps.set(kind.name, (this.#steps.get(kind.name) ?? 0) + 1);
    if (verdict === undefined) return;
    for (const name of [
      'issued',
      'stored',
      'delivered',
      'missing',
      'doubled',
      'outOfOrder',
      'resent',
    ] as const)
      sums[name] += verdict[name];
    addTo(this.#missingBy, verdict.missingBy);
    addTo(this.#doubledBy, verdict.doubledBy);
  }

  get value(): Totals {
    return { ...this.#sums, missingBy: this.#missingBy, doubledBy: this.#doubledBy, steps: this.#steps };
  }
}

function addTo(sums: Record<string, number>, more: Tally): void {
  for (const [name, count] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + count;
}

/** First those without an exception, which are findings, then a row for each exception. */
function rowsOf(words: string, count: number, by: Tally): [string, number][] {
  const excused = Object.values(by).reduce((sum, one) => sum + one, 0);
  return [
    [`${words}, which is a failure`, count - excused],
    ...Object.entries(by)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]): [string, number] => [`${words}, by the exception \`${name}\``, one]),
  ];
}

/** @param hash of the traces of all histories, in their order */
export function totalsTable(totals: Totals, hash: string): string {
  const steps = [...totals.steps].sort(([a], [b]) => (a < b ? -1 : 1));
  const rows: [string, string | number][] = [
    ['histories', totals.histories],
    ['of which failed', totals.failed],
    ['simulated hours', (totals.simulatedMs / HOUR_MS).toFixed(2)],
    ['real minutes', (totals.realMs / 60_000).toFixed(2)],
    ['simulated time / real time', Math.round(totals.simulatedMs / Math.max(1, totals.realMs))],
    ['readings issued', totals.issued],
    ['told `stored`', totals.stored],
    ['in Kafka', totals.delivered],
    ...rowsOf('stored and missing', totals.missing, totals.missingBy),
    ...rowsOf('twice from one connection', totals.doubled, totals.doubledBy),
    ['out of order, exceptions included', totals.outOfOrder],
    ['sent again by devices', totals.resent],
    ['faults', steps.reduce((sum, [, count]) => sum + count, 0)],
    ...steps.map(([name, count]): [string, number] => [`fault \`${name}\``, count]),
    ['hash of all traces', hash],
  ];
  return ['| | |', '|---|---:|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
}

/** One line. */
export function historyLine({
  seed,
  steps,
  simulatedMs,
  realMs,
  verdict,
  findings,
  hash,
}: HistoryResult): string {
  const outcome = findings.length === 0 ? 'ok' : `FAILED: ${findings.map(({ rule }) => rule).join(', ')}`;
  const readings =
    verdict === undefined
      ? ''
      : `, ${verdict.stored} of ${verdict.issued} readings stored${oddities(verdict)}`;
  return `seed ${seed}: ${steps.length} steps, ${(simulatedMs / 1000).toFixed(1)} s simulated in ${(realMs / 1000).toFixed(1)} s${readings}, hash ${hash}: ${outcome}`;
}

/** Losses and copies. Without a finding, docs/delivery-guarantees.md names them as exceptions. */
function oddities({ missing, doubled, outOfOrder, findings }: Verdict): string {
  const seen = [
    missing > 0 ? `${missing} missing` : '',
    doubled > 0 ? `${doubled} twice` : '',
    outOfOrder > 0 ? `${outOfOrder} out of order` : '',
  ].filter((text) => text !== '');
  if (seen.length === 0) return '';
  return `, ${seen.join(', ')}${findings.length === 0 ? ' by exceptions of the guarantees' : ''}`;
}

/** The command that plays a history again. */
function replayCommand({ seed, steps, asked }: HistoryResult): string {
  return [
    `npm run simulate -- --seed ${seed}`,
    `--steps ${asked.steps}`,
    ...(steps.length < asked.steps
      ? [`--only ${steps.map(({ number }) => number).join(',') || 'none'}`]
      : []),
    ...(asked.devices === undefined ? [] : [`--devices ${asked.devices}`]),
    ...(asked.lastsMs === undefined ? [] : [`--lasts ${asked.lastsMs}`]),
    ...(asked.kindsText === undefined ? [] : [`--faults ${asked.kindsText}`]),
  ].join(' ');
}

export function failureText(result: HistoryResult): string {
  const { scene, steps, findings, trace } = result;
  return [
    `settings: ${sceneInWords(scene)}`,
    'plan:',
    ...steps.map(stepInWords),
    `the last ${Math.min(trace.length, TRACE_LINES)} lines of the trace:`,
    ...trace.slice(-TRACE_LINES).map((line) => `  ${line}`),
    'findings:',
    ...findings.map(({ rule, text }) => `  ${rule}: ${text}`),
    `again: ${replayCommand(result)}`,
  ].join('\n');
}
