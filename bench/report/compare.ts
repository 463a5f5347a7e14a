// Compares two files of the bench and finds the figures that became worse beyond noise.
import { median } from '../statistics.ts';
import { COLUMNS, type Column, type ScenarioResult, valuesOf } from './columns.ts';
import { type BenchFile, BenchFileError, machineText } from './results-file.ts';

/** Share by which a median may be worse even if the runs hardly differ. */
export const MIN_NOISE = 0.1;
/** The same if a file has a single run, whose spread is unknown. */
export const SINGLE_RUN_NOISE = 0.3;

export interface Comparison {
  /** One text for each regression. */
  readonly regressions: readonly string[];
  /** Number of compared figures. */
  readonly compared: number;
  /** True if the machines differ, so that only ratios were compared. */
  readonly ratiosOnly: boolean;
}

/**
 * Compares the medians. A regression exceeds MIN_NOISE and the spread of the runs in both files. A failed scenario is a
 * regression too; a scenario in one file only is not compared.
 * @throws BenchFileError if the settings differ
 */
export function compare(before: BenchFile, now: BenchFile): Comparison {
  const { runs: _, ...how } = before.settings;
  const { runs: __, ...howNow } = now.settings;
  if (JSON.stringify(how) !== JSON.stringify(howNow)) {
    throw new BenchFileError(`the settings differ: ${JSON.stringify(how)} and ${JSON.stringify(howNow)}`);
  }
  const ratiosOnly = machineText(before.machine) !== machineText(now.machine);
  const regressions: string[] = [];
  let compared = 0;
  for (const result of now.results) {
    const old = before.results.find(({ name, kind }) => name === result.name && kind === result.kind);
    if (old === undefined) continue;
    if (result.failures.length > 0) regressions.push(`${result.name}: ${result.failures[0]}`);
    for (const column of COLUMNS[result.kind]) {
      if (column.better === undefined || (ratiosOnly && column.isRatio !== true)) continue;
      const change = changeOf(column, old, result);
      if (change === undefined) continue;
      compared++;
      if (change.worse > change.noise) regressions.push(inWords(result.name, column, change));
    }
  }
  return { regressions, compared, ratiosOnly };
}

interface Change {
  readonly before: number;
  readonly now: number;
  /** By how much the figure is worse, as a share of the old one; negative if it is better. */
  readonly worse: number;
  readonly noise: number;
}

function changeOf(column: Column, old: ScenarioResult, result: ScenarioResult): Change | undefined {
  const [oldValues, values] = [valuesOf(column, old.runs), valuesOf(column, result.runs)];
  if (oldValues.length === 0 || values.length === 0) return undefined;
  const [before, now] = [median(oldValues), median(values)];
  if (!(before > 0)) return undefined;
  const difference = (now - before) / before;
  return {
    before,
    now,
    worse: column.better === 'less' ? difference : -difference,
    noise: Math.max(MIN_NOISE, spread(oldValues), spread(values)),
  };
}

/** From the lowest to the highest run, as a share of the median. */
function spread(values: readonly number[]): number {
  if (values.length === 1) return SINGLE_RUN_NOISE;
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

function inWords(scenario: string, { key, digits }: Column, { before, now, worse, noise }: Change): string {
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  return `${scenario}.${key}: ${now.toFixed(digits)}, it was ${before.toFixed(digits)}; ${percent(worse)} worse, noise is ${percent(noise)}`;
}
