// The results of the attacks as text: one line for each while they run, and the section of docs/security.md. No I/O.
import { markdownTable } from '../../scripts/docs/markdown.ts';
import { type Circumstances, circumstancesText } from '../report/circumstances.ts';
import { table } from '../report/report.ts';
import type { Attack } from './attack.ts';
import type { Evidence, GoodFigures } from './evidence.ts';
import type { Limits } from './judge.ts';

export interface Judged {
  readonly attack: Attack;
  /** Undefined if the attack could not be carried out. */
  readonly evidence: Evidence | undefined;
  /** Empty if the gateway held. */
  readonly problems: readonly string[];
}

const HEAD = [
  'attack',
  'stored p99 ms',
  'keepalive p99 ms',
  'RSS MiB',
  'cores',
  'waited',
  'attackers',
  'verdict',
];

export function resultLine({ attack, evidence, problems }: Judged): string {
  const verdict = problems.length === 0 ? 'held' : `FAILED: ${problems.join('; ')}`;
  if (evidence === undefined) return `${attack.name}: ${verdict}`;
  const { rest, sink, attacked } = evidence;
  return (
    `${attack.name}: ${verdict}\n` +
    `  stored ${phases(evidence, stored)} ms, keepalive ${phases(evidence, keepalive)} ms` +
    ` (${rest.storedMs.count}, ${sink?.storedMs.count ?? 0}, ${attacked.storedMs.count} lines)\n` +
    `  RSS ${rssText(evidence)} MiB, ${evidence.cores.toFixed(2)} cores, waited ${waitedText(evidence)}; ${attackersText(evidence)}`
  );
}

export function resultTable(results: readonly Judged[]): string {
  return `${table(HEAD, results.map(row))}\n${LEGEND}`;
}

const LEGEND =
  'p99: at rest / beside the attack on a sink that does nothing / under attack. RSS: the highest of a process.' +
  ' cores: CPU of the gateway; waited: the share of the time in which a process of it was ready and had no core.' +
  ' attackers: connections, and how the gateway ended them.';

/** The section of the page. */
export function sectionText(results: readonly Judged[], limits: Limits, how: Circumstances): string {
  const held = results.filter(({ problems }) => problems.length === 0).length;
  const { p99Ms, p99Times, rssMiB } = limits;
  const does = results.map(({ attack: { name, does, holds } }) => [`\`${name}\``, does, holds ?? '']);
  return [
    circumstancesText(how),
    `Of ${results.length} attacks the gateway held against ${held}. Beside each, 60 good devices send 500 readings and 200 keepalives a second, over two server processes. The gateway holds if their p99 is at most ${p99Times} times that at rest or beside the sink (the higher of the two), or below ${p99Ms} ms (if not, but by less than twice, the median of three runs decides); if none of their readings is lost, doubled or out of order and none of their connections breaks; if no process has more than ${rssMiB} MiB, crashes or is restarted; if the admin port answers; and if what the second table names holds.`,
    markdownTable(HEAD, results.map(row)),
    LEGEND,
    markdownTable(['attack', 'what the attackers do', 'what else must hold'], does),
  ].join('\n\n');
}

function row({ attack: { name }, evidence, problems }: Judged): string[] {
  const verdict = problems.length === 0 ? 'held' : `**failed**: ${problems.join('; ')}`;
  if (evidence === undefined) return [name, '', '', '', '', '', '', verdict];
  return [
    name,
    phases(evidence, stored),
    phases(evidence, keepalive),
    rssText(evidence),
    evidence.cores.toFixed(2),
    waitedText(evidence),
    attackersText(evidence),
    verdict,
  ];
}

const stored = ({ storedMs }: GoodFigures): number => storedMs.p99;
const keepalive = ({ keepaliveMs }: GoodFigures): number => keepaliveMs.p99;

function phases({ rest, sink, attacked }: Evidence, of: (figures: GoodFigures) => number): string {
  return [rest, sink, attacked]
    .map((figures) => (figures === undefined ? '-' : of(figures).toFixed(of(figures) < 10 ? 1 : 0)))
    .join(' / ');
}

const rssText = ({ rssMiB }: Evidence): string => Math.max(...rssMiB).toFixed(0);

const waitedText = ({ waitedShare }: Evidence): string => `${(100 * waitedShare).toFixed(0)} %`;

function attackersText({ attackers: { connected, sentBytes, ended } }: Evidence): string {
  const ends = Object.entries(ended)
    .sort(([, a], [, b]) => b - a)
    .map(([how, times]) => `${times} ${how}`);
  const sent = `${(sentBytes / 1e6).toFixed(sentBytes < 1e7 ? 1 : 0)} MB`;
  return [`${connected} connections, ${sent}`, ...ends].join(', ');
}
