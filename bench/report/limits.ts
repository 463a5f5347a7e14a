// Limits for figures, as --min and --max state them and as the project's own targets do; the medians count.

import { median } from '../statistics.ts';
import { columnOf, type Kind, type ScenarioResult, valuesOf } from './columns.ts';

export interface Limit {
  readonly scenario: string;
  readonly figure: string;
  readonly side: 'min' | 'max';
  readonly value: number;
}

/**
 * `<scenario>.<figure>=<number>` as a limit.
 * @throws RangeError where it is not that, or the bench has no such figure
 */
export function parseLimit(text: string, side: Limit['side'], kinds: ReadonlyMap<string, Kind>): Limit {
  const [, scenario = '', figure = '', number = ''] = /^([a-z-]+)\.(\w+)=(\S+)$/.exec(text) ?? [];
  const value = Number(number);
  if (scenario === '' || !Number.isFinite(value)) {
    throw new RangeError('It is <scenario>.<figure>=<number>, such as batch.multiple=5.');
  }
  const kind = kinds.get(scenario);
  if (kind === undefined) throw new RangeError(`There is no scenario ${scenario}.`);
  columnOf(kind, figure);
  return { scenario, figure, side, value };
}

/** Which limits are missed, in words. One whose scenario has no such figure is missed too. */
export function missed(results: readonly ScenarioResult[], limits: readonly Limit[]): string[] {
  return limits.flatMap((limit) => {
    const { scenario, figure, side, value } = limit;
    const measured = figureOf(results, limit);
    if (measured === undefined) return [`${scenario}: ${figure} was not measured`];
    if (isReached(limit, measured)) return [];
    const bound = side === 'min' ? 'at least' : 'at most';
    return [`${scenario}: ${figure} is ${figureText(measured)}, to be ${bound} ${value}`];
  });
}

export function isReached({ side, value }: Pick<Limit, 'side' | 'value'>, measured: number): boolean {
  return side === 'min' ? measured >= value : measured <= value;
}

/** The median of what a limit is about, undefined where it was not measured. */
export function figureOf(
  results: readonly ScenarioResult[],
  { scenario, figure }: Limit,
): number | undefined {
  const result = results.find(({ name }) => name === scenario);
  if (result === undefined) return undefined;
  const values = valuesOf(columnOf(result.kind, figure), result.runs);
  return values.length === 0 ? undefined : median(values);
}

/** Enough digits that a missed limit never looks like a kept one. */
const figureText = (figure: number): string => String(Number(figure.toPrecision(4)));
