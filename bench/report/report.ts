// The results of the bench as text: a table for each kind of figures, with a row for each scenario. No I/O.
import { median } from '../statistics.ts';
import {
  COLUMNS,
  type Column,
  EXPLANATIONS,
  type Figures,
  type Kind,
  type ScenarioResult,
  valuesOf,
} from './columns.ts';

const MEDIANS = 'Medians, with the lowest and highest run in brackets.';

export function resultTable(results: readonly ScenarioResult[]): string {
  const tables = (Object.keys(COLUMNS) as Kind[]).flatMap((kind) => {
    const alike = results.filter((result) => result.kind === kind);
    return alike.length === 0 ? [] : tableOf(kind, alike);
  });
  return [...tables, MEDIANS].join('\n\n');
}

function tableOf(kind: Kind, results: readonly ScenarioResult[]): string {
  const { head, rows } = cellsOf(kind, results);
  const legend = results.map(({ name, about }) => `${name}: ${about}`);
  return [table(head, rows), ...legend, EXPLANATIONS[kind]].join('\n');
}

/** One row for each scenario, without columns that are empty in all rows. */
export function cellsOf(kind: Kind, results: readonly ScenarioResult[]) {
  const shown = COLUMNS[kind].filter((column) =>
    results.some(({ runs }) => valuesOf(column, runs).length > 0),
  );
  return {
    head: ['scenario', ...shown.map(({ head }) => head)],
    rows: results.map(({ name, runs }) => [
      name,
      ...shown.map((column) => cell(column, valuesOf(column, runs))),
    ]),
  };
}

export function runLine(run: Figures): string {
  return COLUMNS[run.kind]
    .filter(({ value }) => value(run) !== undefined)
    .map((column) => `${column.head} ${cell(column, valuesOf(column, [run]))}`)
    .join(', ');
}

/** Aligns figures right: columns in which a cell begins with a digit. */
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

/** The median; with several runs also the spread. */
export function cell({ digits }: Pick<Column, 'digits'>, values: readonly number[]): string {
  if (values.length === 0) return '';
  const text = (figure: number) =>
    figure.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const middle = text(median(values));
  if (values.length === 1) return middle;
  const least = Math.min(...values);
  return `${middle} (${text(least)}${least < 0 ? ' to ' : '-'}${text(Math.max(...values))})`;
}
