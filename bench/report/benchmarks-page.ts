// Makes the text about speed in the docs from docs/benchmarks.json: the section `bench` of docs/benchmarks.md and the table
// of the README. No I/O: `npm run docs` writes them, and `npm run check` compares them.
import { markdownTable } from '../../scripts/docs/markdown.ts';
import { median } from '../statistics.ts';
import { COLUMNS, columnOf, EXPLANATIONS, type Kind, type ScenarioResult, valuesOf } from './columns.ts';
import { figureOf, isReached } from './limits.ts';
import { cell, cellsOf } from './report.ts';
import { type BenchFile, machineText } from './results-file.ts';
import { TARGETS, type Target } from './targets.ts';

const TITLES: Readonly<Record<Kind, string>> = {
  load: 'Speed and cost',
  pair: 'Side by side',
  memory: 'Memory of connections',
  spool: 'Without Kafka',
  drain: 'Draining the spool',
  storm: 'Many devices at once',
  tls: 'TLS',
};

export function benchSection(file: BenchFile): string {
  const kinds = (Object.keys(COLUMNS) as Kind[]).filter((kind) =>
    file.results.some((result) => result.kind === kind),
  );
  return [
    howMeasured(file),
    '## Targets',
    targetsTable(file),
    ...kinds.flatMap((kind) => kindSection(kind, file)),
  ].join('\n\n');
}

/** The headline targets with rate and CPU of the same runs. A cell is empty if the scenario has no such figure. */
export function readmeTable(file: BenchFile): string {
  const rows = TARGETS.filter(({ headline }) => headline !== undefined).map((target) => [
    target.headline ?? '',
    measuredText(file, target),
    medianText(file, target, ['perSecond', 'downPerSecond']),
    medianText(file, target, ['serverCpuUs', 'downCpuUs']),
  ]);
  return markdownTable(['', 'measured', 'messages/s', 'CPU us a message'], rows);
}

function medianText(file: BenchFile, { scenario }: Target, keys: readonly string[]): string {
  const result = file.results.find(({ name }) => name === scenario);
  const column = result && COLUMNS[result.kind].find(({ key }) => keys.includes(key));
  const values = result && column ? valuesOf(column, result.runs) : [];
  return column && values.length > 0 ? cell(column, [median(values)]) : '';
}

function howMeasured({ at, version, kafka, machine, settings }: BenchFile): string {
  const { runs, seconds, connections, env } = settings;
  const changed = Object.entries(env).map(([name, value]) => ` ${name}=${value}.`);
  return `Measured ${at.slice(0, 10)} with Sluice ${version} on ${machineText(machine)}, with ${kafka}. Server, Kafka and load share the machine. ${connections} connections unless stated otherwise, lines of about 170 bytes, windows of about ${seconds} s. The server has its default settings and one process.${changed.join('')} Each figure is the median of ${runs} runs, with the lowest and the highest in brackets. The scenarios take turns, so that a slow minute of the machine affects all of them. A run counts only if every message was confirmed and is in the topic once.`;
}

function targetsTable(file: BenchFile): string {
  const rows = TARGETS.map((target) => [
    target.about,
    `${target.side === 'max' ? 'at most' : 'at least'} ${target.value}`,
    measuredText(file, target),
    reachedText(file, target),
    `\`npm run bench -- --scenario ${target.scenario}\``,
  ]);
  return markdownTable(['what', 'target', 'measured', 'reached', 'command'], rows);
}

function measuredText(file: BenchFile, { scenario, figure }: Target): string {
  const result = file.results.find(({ name }) => name === scenario);
  if (result === undefined) return 'not measured';
  const column = columnOf(result.kind, figure);
  const values = valuesOf(column, result.runs);
  return values.length === 0 ? 'failed' : cell(column, values);
}

function reachedText(file: BenchFile, target: Target): string {
  const measured = figureOf(file.results, target);
  if (measured === undefined) return '';
  return isReached(target, measured) ? 'yes' : '**no**';
}

function kindSection(kind: Kind, { results }: BenchFile): string[] {
  const alike = results.filter((result) => result.kind === kind);
  const { head, rows } = cellsOf(kind, alike);
  const failed = alike.filter(({ failures }) => failures.length > 0).map(failureText);
  return [
    `## ${TITLES[kind]}`,
    markdownTable(head, rows),
    alike.map(({ name, about }) => `- ${name}: ${about}`).join('\n'),
    EXPLANATIONS[kind].replaceAll('\n', ' '),
    ...failed,
  ];
}

function failureText({ name, failures, runs }: ScenarioResult): string {
  const all = failures.length + runs.length;
  return `${failures.length} of the ${all} runs of ${name} failed: ${failures[0]?.split('\n')[0]}`;
}
