// The report of a scaling run as text: a table for each dimension. No I/O.
import { markdownTable } from '../../scripts/docs/markdown.ts';
import { circumstancesText } from '../report/circumstances.ts';
import { table } from '../report/report.ts';
import { BASE } from './dimensions.ts';
import {
  type DimensionResult,
  type PointResult,
  type PointRun,
  remarkOn,
  type ScalingResult,
  spreadOf,
} from './result.ts';

export function resultText(result: ScalingResult): string {
  const tables = result.dimensions.map((dimension) => tableOf(dimension, result, table));
  return [...tables, legendOf(result)].join('\n\n');
}

/** The section of a page. @param chart where its chart is, from the page */
export function sectionText(result: ScalingResult, chart: string): string {
  const titles = result.dimensions.map(({ title }) => title.toLowerCase()).join(', ');
  return [
    '## Scaling',
    `Varied one at a time: ${titles}. The base point is ${baseText()}. ${circumstancesText(result.circumstances)}`,
    `![Throughput and p99 over ${titles}](${chart})`,
    legendOf(result),
    ...result.dimensions.flatMap((dimension) => [
      `### ${dimension.title}`,
      tableOf(dimension, result, markdownTable),
    ]),
  ].join('\n\n');
}

function tableOf(dimension: DimensionResult, result: ScalingResult, draw: typeof table): string {
  const head = [dimension.setting ?? dimension.name, 'messages/s', 'CPU us', 'p50 ms', 'p99 ms', 'remark'];
  const rows = dimension.points.map((point) => [
    typeof point.value === 'number' ? point.value.toLocaleString('en-US') : point.value,
    cell(point, 0, ({ perSecond }) => perSecond),
    cell(point, 2, ({ cpuUs }) => cpuUs),
    cell(point, 1, ({ p50Ms }) => p50Ms),
    cell(point, 1, ({ p99Ms }) => p99Ms),
    remarkOn(point, result),
  ]);
  return draw(head, rows);
}

function cell(point: PointResult, digits: number, value: (run: PointRun) => number): string {
  const spread = spreadOf(point, value);
  if (spread === undefined) return '-';
  const text = (figure: number) =>
    figure.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const { median, min, max } = spread;
  return point.runs.length === 1 ? text(median) : `${text(median)} (${text(min)}-${text(max)})`;
}

function legendOf({ runs, seconds, rate, linesPerWrite }: ScalingResult): string {
  const of = runs === 1 ? 'One run' : `Medians of ${runs} runs, with the lowest and highest in brackets`;
  return `${of}. messages/s: confirmed, at full speed, ${linesPerWrite} lines a write, over ${seconds} s. CPU us: user and system time of all processes of the gateway at full speed, a message. p50, p99: from the due time of a message to its arrival at a consumer, at ${rate.toLocaleString('en-US')} messages/s, 1 line a write. Gateway, Kafka and load share the machine. A run counts only if every message arrived, by the gateway's balance and the topic's offsets.`;
}

function baseText(): string {
  const { workers, processes, connections, batch, codec } = BASE;
  const shown = processes === 1 ? 'one server process' : `${processes} server processes`;
  return `${workers} workers, ${shown}, ${connections} connections, ${batch} records a batch, ${codec}`;
}
