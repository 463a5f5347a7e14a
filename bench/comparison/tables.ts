// The figures of a comparison as tables: rows with a head, for the terminal and for the page. No I/O.
import { cell } from '../report/report.ts';
import { median } from '../statistics.ts';
import { DUELS, type Duel } from './duels.ts';
import type { ComparisonFile, ContestantResult, Turn } from './result.ts';
import { COMPARISON_TARGETS, valuesOfTarget } from './targets.ts';

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const COLUMNS: readonly {
  readonly head: string;
  readonly digits: number;
  value(turn: Turn): number | undefined;
}[] = [
  { head: 'messages/s', digits: 0, value: ({ perSecond }) => perSecond },
  { head: 'CPU us a message', digits: 2, value: ({ cpuUs }) => cpuUs },
  { head: 'p50 ms', digits: 1, value: ({ p50Ms }) => p50Ms },
  { head: 'p99 ms', digits: 1, value: ({ p99Ms }) => p99Ms },
];

export function comparisonTables(file: ComparisonFile): Table[] {
  const duels = DUELS.filter(({ name }) => file.contestants.some(({ turns }) => turns[name] !== undefined));
  return [...duels.map((duel) => duelTable(duel, file)), memoryTable(file), balanceTable(file)];
}

function duelTable({ name, about }: Duel, { contestants }: ComparisonFile): Table {
  const played = contestants.filter(({ turns }) => turns[name] !== undefined);
  const columns = COLUMNS.filter(({ value }) =>
    played.some(({ turns }) => value(turns[name]?.[0] as Turn) !== undefined),
  );
  const rows = played.map((one) => [
    one.name,
    ...columns.map(({ digits, value }) => cell({ digits }, valuesOf(one, name, value))),
  ]);
  return { title: `${name}: ${about}`, head: ['', ...columns.map(({ head }) => head)], rows };
}

function valuesOf(
  { turns }: ContestantResult,
  name: string,
  value: (turn: Turn) => number | undefined,
): number[] {
  return (turns[name] ?? []).map(value).filter((one) => one !== undefined);
}

function memoryTable({ contestants }: ComparisonFile): Table {
  const mib = (value: number) => value.toFixed(0);
  const rows = contestants.map(({ name, afterStart, afterLoad }) => [
    name,
    mib(afterStart.sharedOnceMiB),
    mib(afterStart.residentMiB),
    mib(afterLoad.sharedOnceMiB),
    mib(afterLoad.residentMiB),
  ]);
  const head = [
    '',
    'after start, shared once',
    'after start, RSS',
    'after all turns, shared once',
    'after all turns, RSS',
  ];
  return { title: 'memory of all processes, MiB', head, rows };
}

function balanceTable({ contestants }: ComparisonFile): Table {
  const rows = contestants.map(({ name, version, sent, lost, duplicated }) => [
    name,
    version,
    sent.toLocaleString('en-US'),
    String(lost),
    String(duplicated),
  ]);
  return {
    title: 'every message counted in the topic',
    head: ['', 'version', 'sent', 'lost', 'twice'],
    rows,
  };
}

/** @returns a row for each target; one that was not measured says so */
export function targetRows(
  file: ComparisonFile,
): [about: string, target: string, measured: string, reached: string][] {
  return COMPARISON_TARGETS.map((target) => {
    const values = valuesOfTarget(file, target);
    const isMeasured = values.length > 0;
    return [
      target.about,
      `at most ${target.value}`,
      isMeasured ? cell({ digits: target.figure === 'cpuUs' ? 2 : 1 }, values) : 'not measured',
      isMeasured ? (median(values) <= target.value ? 'yes' : '**no**') : '',
    ];
  });
}
