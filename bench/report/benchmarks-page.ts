// Makes the text about speed in the docs from docs/benchmarks.json: the section `bench` of docs/benchmarks.md and the table
// of the README. No I/O: `npm run docs` writes them, and `npm run check` compares them.
import { markdownTable } from '../../scripts/docs/markdown.ts';
import type { ComparisonFile } from '../comparison/result.ts';
import { targetRows } from '../comparison/tables.ts';
import { median } from '../statistics.ts';
import { COLUMNS, columnOf, EXPLANATIONS, type Kind, type ScenarioResult, valuesOf } from './columns.ts';
import { figureOf, isReached } from './limits.ts';
import { cell, cellsOf } from './report.ts';
import { type BenchFile, machineText, type NodeResults } from './results-file.ts';
import { TARGETS, type Target } from './targets.ts';

const TITLES: Readonly<Record<Kind, string>> = {
  load: 'Speed and cost',
  pair: 'Side by side',
  memory: 'Memory of connections',
  spool: 'Without Kafka',
  drain: 'Draining the spool',
  idle: 'A gateway in which nothing happens',
  storm: 'Many devices at once',
  'storm-many': 'Many more devices at once',
  tls: 'TLS',
  start: 'The start',
  'after-start': 'Memory after the start',
};

const NOT_MEASURED = 'not measured';

/** @param comparison adds the targets that it measures */
export function benchSection(file: BenchFile, comparison?: ComparisonFile): string {
  const kinds = (Object.keys(COLUMNS) as Kind[]).filter((kind) =>
    file.results.some((result) => result.kind === kind),
  );
  return [
    howMeasured(file),
    '## Targets',
    targetsTable(file, comparison),
    ...kinds.flatMap((kind) => kindSection(kind, file)),
    ...(file.otherNodes ?? []).flatMap((other) => nodeSection(other)),
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

function howMeasured(file: BenchFile): string {
  const { at, version, kafka, machine, settings } = file;
  const { runs, seconds, connections, env } = settings;
  const changed = Object.entries(env).map(([name, value]) => ` ${name}=${value}.`);
  return `Measured ${dayOf(at)}${earlierText(file)} with Sluice ${version} on ${machineText(machine)}, with ${kafka}. Server, Kafka and load share the machine. ${connections} connections unless stated otherwise, lines of about 170 bytes, windows of about ${seconds} s. The server has its default settings and one process.${changed.join('')} Each figure is the median of ${runs} runs, with the lowest and the highest in brackets. The scenarios take turns, so that a slow minute of the machine affects all of them. A run counts only if every message was confirmed and is in the topic once.`;
}

/** The scenarios that were measured on earlier days. */
function earlierText({ at, results }: BenchFile): string {
  const days = new Map<string, string[]>();
  for (const { name, at: measuredAt = at } of results) {
    const day = dayOf(measuredAt);
    if (day !== dayOf(at)) days.set(day, [...(days.get(day) ?? []), `\`${name}\``]);
  }
  const texts = [...days].map(([day, names]) => `${names.join(', ')} on ${day}`);
  return texts.length === 0 ? '' : ` (${texts.join('; ')})`;
}

const dayOf = (at: string): string => at.slice(0, 10);

function targetsTable(file: BenchFile, comparison?: ComparisonFile): string {
  const { otherNodes = [] } = file;
  const rows = TARGETS.map((target) => [
    target.about,
    limitText(target),
    measuredText(file, target),
    reachedText(file, target),
    ...otherNodes.map(({ node, results }) => otherText({ ...file, results }, onNode(target, node))),
    `\`npm run bench -- --scenario ${target.scenario}\``,
  ]);
  const none = otherNodes.map(() => '');
  const besidePeers = (comparison === undefined ? [] : targetRows(comparison)).map((row) => [
    ...row,
    ...none,
    '[`npm run bench -- --peer rsyslog`](comparison.md)',
  ]);
  const head = [
    'what',
    'target',
    'measured',
    'reached',
    ...otherNodes.map(({ node }) => `Node ${node}`),
    'command',
  ];
  return markdownTable(head, [...rows, ...besidePeers]);
}

const limitText = ({ side, value, fromNode24 }: Target): string =>
  `${side === 'max' ? 'at most' : 'at least'} ${value}${fromNode24 === undefined ? '' : `; ${fromNode24} from Node 24 on`}`;

/** The target as it is for this version of Node. */
function onNode(target: Target, node: string): Target {
  const major = Number(/\d+/.exec(node)?.[0]);
  return major >= 24 && target.fromNode24 !== undefined ? { ...target, value: target.fromNode24 } : target;
}

/** Measured, and whether it is reached. Empty if it was not measured with this Node. */
function otherText(file: BenchFile, target: Target): string {
  const measured = measuredText(file, target);
  if (measured === NOT_MEASURED) return '';
  return `${measured} ${reachedText(file, target) === 'yes' ? '' : '**no**'}`.trim();
}

function measuredText(file: BenchFile, { scenario, figure }: Target): string {
  const result = file.results.find(({ name }) => name === scenario);
  if (result === undefined) return NOT_MEASURED;
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

/** The tables of another Node. The scenarios are explained above. */
function nodeSection({ node, results }: NodeResults): string[] {
  const kinds = (Object.keys(COLUMNS) as Kind[]).filter((kind) =>
    results.some((result) => result.kind === kind),
  );
  const tables = kinds.map((kind) => {
    const { head, rows } = cellsOf(
      kind,
      results.filter((result) => result.kind === kind),
    );
    return markdownTable(head, rows);
  });
  const failed = results.filter(({ failures }) => failures.length > 0).map(failureText);
  return [`## With Node ${node}`, 'Measured in turns with the Node above.', ...tables, ...failed];
}

function failureText({ name, failures, runs }: ScenarioResult): string {
  const all = failures.length + runs.length;
  return `${failures.length} of the ${all} runs of ${name} failed: ${failures[0]?.split('\n')[0]}`;
}
