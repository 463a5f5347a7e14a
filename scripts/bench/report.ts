// What the bench prints: a table for each kind of figures, in it one row a scenario, the median of its runs and
// their spread.
import type { DrainFigures } from './drain.ts';
import { median } from './figures.ts';
import type { Measurement } from './measure.ts';
import type { SpoolFigures } from './spool.ts';

export type Figures = Measurement | SpoolFigures | DrainFigures;
type Kind = Figures['kind'];
type FiguresOf<K extends Kind> = Extract<Figures, { kind: K }>;

export interface ScenarioResult {
  readonly name: string;
  readonly about: string;
  readonly judgedByMultiple: boolean;
  /** The runs that succeeded, all of one kind. */
  readonly runs: readonly Figures[];
  readonly failures: readonly string[];
}

export interface Limits {
  readonly maxMultiple?: number | undefined;
  readonly maxP99?: number | undefined;
  readonly minSpoolRatio?: number | undefined;
  readonly maxStoredP99?: number | undefined;
  readonly minDrain?: number | undefined;
}

interface Column {
  readonly head: string;
  readonly digits: number;
  /** Undefined where such a run has no such figure. */
  readonly value: (run: Figures) => number | undefined;
}

const COLUMNS: Readonly<Record<Kind, readonly Column[]>> = {
  load: [
    column('load', 'messages/s', 0, (run) => run.perSecond),
    column('load', 'server CPU us', 2, (run) => run.serverCpuUs),
    column('load', 'JSON.parse us', 2, (run) => run.jsonParseUs),
    column('load', 'multiple', 2, (run) => run.multiple),
    column('load', 'multiple busy', 2, (run) => run.busyMultiple),
    column('load', 'load CPU us', 2, (run) => run.loadCpuUs),
    column('load', 'RSS MiB', 0, (run) => run.residentMiB),
    column('load', 'p50 ms', 1, (run) => run.latencyMs?.p50),
    column('load', 'p95 ms', 1, (run) => run.latencyMs?.p95),
    column('load', 'p99 ms', 1, (run) => run.latencyMs?.p99),
    column('load', 'max ms', 1, (run) => run.latencyMs?.max),
  ],
  spool: [
    column('spool', 'up/s', 0, ({ up }) => up.perSecond),
    column('spool', 'down/s', 0, ({ down }) => down.perSecond),
    column('spool', 'ratio', 2, ({ ratio }) => ratio),
    column('spool', 'up CPU us', 2, ({ up }) => up.serverCpuUs),
    column('spool', 'down CPU us', 2, ({ down }) => down.serverCpuUs),
    column('spool', 'down RSS MiB', 0, ({ down }) => down.residentMiB),
    column('spool', 'paced/s', 0, ({ pacedPerSecond }) => pacedPerSecond),
    column('spool', 'up p50 ms', 1, ({ up }) => up.storedMs.p50),
    column('spool', 'up p99 ms', 1, ({ up }) => up.storedMs.p99),
    column('spool', 'down p50 ms', 1, ({ down }) => down.storedMs.p50),
    column('spool', 'down p99 ms', 1, ({ down }) => down.storedMs.p99),
    column('spool', 'down max ms', 1, ({ down }) => down.storedMs.max),
  ],
  drain: [
    column('drain', 'backlog', 0, (run) => run.backlog),
    column('drain', 'seconds', 2, (run) => run.seconds),
    column('drain', 'drained/s', 0, (run) => run.perSecond),
    column('drain', 'arriving/s', 0, (run) => run.arrivingPerSecond),
    column('drain', 'times', 1, (run) => run.times),
    column('drain', 'wait ms', 0, (run) => run.waitMs),
    column('drain', 'server CPU us', 2, (run) => run.serverCpuUs),
    column('drain', 'RSS MiB', 0, (run) => run.residentMiB),
    column('drain', 'p50 ms', 1, ({ storedMs }) => storedMs.p50),
    column('drain', 'p99 ms', 1, ({ storedMs }) => storedMs.p99),
  ],
};

const EXPLANATIONS: Readonly<Record<Kind, string>> = {
  load: `CPU: user and system of the whole process, a message. multiple: server CPU in units of JSON.parse of the same
lines on the quiet machine, just before and after; multiple busy: in units of JSON.parse beside the running server.`,
  spool: `up, down: confirmed messages with Kafka and without it; ratio: down of up. CPU: of the server, user and system, a
message. ms: from the time a line was due to its \`stored\`, at the paced rate.`,
  drain: `drained: confirmed by Kafka, those out of the spool and those that arrive, until the spool is empty; times: in units
of what arrives. wait: from Kafka's return to its first confirmation. ms: from due to \`stored\` of what arrives.`,
};
const MEDIANS = 'Medians, in brackets the lowest and highest run.';

export function resultTable(results: readonly ScenarioResult[]): string {
  const tables = (Object.keys(COLUMNS) as Kind[]).flatMap((kind) => {
    const alike = results.filter(({ runs }) => runs[0]?.kind === kind);
    return alike.length === 0 ? [] : tableOf(kind, alike);
  });
  return [...tables, MEDIANS].join('\n\n');
}

function tableOf(kind: Kind, results: readonly ScenarioResult[]): string {
  const columns = COLUMNS[kind].filter(({ value }) =>
    results.some(({ runs }) => runs.some((run) => value(run) !== undefined)),
  );
  const rows = results.map(({ name, runs }) => [name, ...columns.map((column) => cell(column, runs))]);
  const legend = results.map(({ name, about }) => `${name}: ${about}`);
  const head = ['scenario', ...columns.map(({ head }) => head)];
  return [table(head, rows), ...legend, EXPLANATIONS[kind]].join('\n');
}

export function runLine(run: Figures): string {
  return COLUMNS[run.kind]
    .filter(({ value }) => value(run) !== undefined)
    .map((column) => `${column.head} ${cell(column, [run])}`)
    .join(', ');
}

/** Which limits are missed, in words; the medians count. */
export function missed(results: readonly ScenarioResult[], limits: Limits): string[] {
  const { maxMultiple = Infinity, maxP99 = Infinity, maxStoredP99 = Infinity } = limits;
  const { minSpoolRatio = 0, minDrain = 0 } = limits;
  return results.flatMap(({ name, judgedByMultiple, runs }) => {
    const loads = ofKind('load', runs);
    const spools = ofKind('spool', runs);
    const multiple = median(loads.map((run) => run.multiple));
    const p99 = median(loads.flatMap((run) => run.latencyMs?.p99 ?? []));
    const ratio = median(spools.map((run) => run.ratio));
    const storedP99 = median(spools.map(({ down }) => down.storedMs.p99));
    const times = median(ofKind('drain', runs).map((run) => run.times));
    const problems: string[] = [];
    if (judgedByMultiple && multiple > maxMultiple)
      problems.push(`${name}: ${multiple.toFixed(2)} times JSON.parse, allowed are ${maxMultiple}`);
    if (p99 > maxP99) problems.push(`${name}: p99 is ${p99.toFixed(1)} ms, allowed are ${maxP99}`);
    if (ratio < minSpoolRatio)
      problems.push(
        `${name}: without Kafka ${ratio.toFixed(2)} of the throughput, to reach is ${minSpoolRatio}`,
      );
    if (storedP99 > maxStoredP99)
      problems.push(`${name}: p99 of \`stored\` is ${storedP99.toFixed(1)} ms, allowed are ${maxStoredP99}`);
    if (times < minDrain)
      problems.push(`${name}: drains at ${times.toFixed(1)} times what arrives, to reach is ${minDrain}`);
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

function cell({ digits, value }: Column, runs: readonly Figures[]): string {
  const values = runs.flatMap((run) => value(run) ?? []);
  if (values.length === 0) return '';
  const text = (figure: number) =>
    figure.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const middle = text(median(values));
  return values.length === 1
    ? middle
    : `${middle} (${text(Math.min(...values))}-${text(Math.max(...values))})`;
}

function column<K extends Kind>(
  kind: K,
  head: string,
  digits: number,
  value: (run: FiguresOf<K>) => number | undefined,
): Column {
  return { head, digits, value: (run) => ofKind(kind, [run]).map(value)[0] };
}

function ofKind<K extends Kind>(kind: K, runs: readonly Figures[]): FiguresOf<K>[] {
  return runs.filter((run): run is FiguresOf<K> => run.kind === kind);
}
