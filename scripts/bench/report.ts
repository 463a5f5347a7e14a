// What the bench prints: one row a scenario, the median of its runs and their spread.
import { median } from './figures.ts';
import type { Measurement } from './measure.ts';

export interface ScenarioResult {
  readonly name: string;
  readonly about: string;
  readonly judgedByMultiple: boolean;
  /** The runs that succeeded. */
  readonly runs: readonly Measurement[];
  readonly failures: readonly string[];
}

export interface Limits {
  readonly maxMultiple: number | undefined;
  readonly maxP99: number | undefined;
}

interface Column {
  readonly head: string;
  readonly digits: number;
  readonly value: (run: Measurement) => number | undefined;
}

const COLUMNS: readonly Column[] = [
  { head: 'messages/s', digits: 0, value: (run) => run.perSecond },
  { head: 'server CPU us', digits: 2, value: (run) => run.serverCpuUs },
  { head: 'JSON.parse us', digits: 2, value: (run) => run.jsonParseUs },
  { head: 'multiple', digits: 2, value: (run) => run.multiple },
  { head: 'multiple busy', digits: 2, value: (run) => run.busyMultiple },
  { head: 'load CPU us', digits: 2, value: (run) => run.loadCpuUs },
  { head: 'RSS MiB', digits: 0, value: (run) => run.residentMiB },
  { head: 'p50 ms', digits: 1, value: (run) => run.latencyMs?.p50 },
  { head: 'p95 ms', digits: 1, value: (run) => run.latencyMs?.p95 },
  { head: 'p99 ms', digits: 1, value: (run) => run.latencyMs?.p99 },
  { head: 'max ms', digits: 1, value: (run) => run.latencyMs?.max },
];

const EXPLANATION = `CPU: user and system of the whole process, a message. multiple: server CPU in units of JSON.parse of the same
lines on the quiet machine, just before and after; multiple busy: in units of JSON.parse beside the running server.
Medians, in brackets the lowest and highest run.`;

export function resultTable(results: readonly ScenarioResult[]): string {
  const columns = COLUMNS.filter(({ value }) =>
    results.some(({ runs }) => runs.some((run) => value(run) !== undefined)),
  );
  const rows = results.map(({ name, runs }) => [name, ...columns.map((column) => cell(column, runs))]);
  const legend = results.map(({ name, about }) => `${name}: ${about}`);
  return [table(['scenario', ...columns.map(({ head }) => head)], rows), ...legend, EXPLANATION].join('\n');
}

export function runLine(run: Measurement): string {
  return COLUMNS.filter(({ value }) => value(run) !== undefined)
    .map((column) => `${column.head} ${cell(column, [run])}`)
    .join(', ');
}

/** What is above the limits, in words; the medians count. */
export function exceeded(results: readonly ScenarioResult[], limits: Limits): string[] {
  const { maxMultiple = Infinity, maxP99 = Infinity } = limits;
  return results.flatMap(({ name, judgedByMultiple, runs }) => {
    const multiple = median(runs.map((run) => run.multiple));
    const p99 = median(runs.flatMap((run) => run.latencyMs?.p99 ?? []));
    const problems: string[] = [];
    if (judgedByMultiple && multiple > maxMultiple)
      problems.push(`${name}: ${multiple.toFixed(2)} times JSON.parse, allowed are ${maxMultiple}`);
    if (p99 > maxP99) problems.push(`${name}: p99 is ${p99.toFixed(1)} ms, allowed are ${maxP99}`);
    return problems;
  });
}

/** Text left, figures right: a column is figures where its first cell begins with a digit. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const figures = head.map((_, column) => rows.some((row) => /^\d/.test(row[column] ?? '')));
  const line = (row: readonly string[]) =>
    row
      .map((text, column) => {
        const width = widths[column] ?? 0;
        return figures[column] ? text.padStart(width) : text.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [line(head), rule, ...rows.map(line)].join('\n');
}

function cell({ digits, value }: Column, runs: readonly Measurement[]): string {
  const values = runs.flatMap((run) => value(run) ?? []);
  if (values.length === 0) return '';
  const text = (figure: number) =>
    figure.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const middle = text(median(values));
  return values.length === 1
    ? middle
    : `${middle} (${text(Math.min(...values))}-${text(Math.max(...values))})`;
}
