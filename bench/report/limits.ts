// Limits for figures: those of --min and --max, and the targets of the project. They apply to medians.
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
 * @throws RangeError if it has another form, or names no figure of the bench
 */
export function parseLimit(text: string, side: Limit['side'], kinds: ReadonlyMap<string, Kind>): Limit {
  const [, scenario = '', figure = '', number = ''] = /^([a-z0-9-]+)\.(\w+)=(\S+)$/.exec(text) ?? [];
  const value = Number(number);
  if (scenario === '' || !Number.isFinite(value)) {
    throw new RangeError('allowed: <scenario>.<figure>=<number>, such as batch.multiple=5.');
  }
  const kind = kinds.get(scenario);
  if (kind === undefined) throw new RangeError(`there is no scenario ${scenario}.`);
  columnOf(kind, figure);
  return { scenario, figure, side, value };
}

/** One text for each missed limit. A limit on a figure that was not measured is missed. */
export function missed(results: readonly ScenarioResult[], limits: readonly Limit[]): string[] {
  return limits.flatMap((limit) => {
    const { scenario, figure, side, value } = limit;
    const measured = figureOf(results, limit);
    if (measured === undefined) return [`${scenario}: ${figure} was not measured`];
    if (isReached(limit, measured)) return [];
    const bound = side === 'min' ? 'at least' : 'at most';
    return [`${scenario}: ${figure} is ${figureText(measured)}, must be ${bound} ${value}`];
  });
}

export function isReached({ side, value }: Pick<Limit, 'side' | 'value'>, measured: number): boolean {
  return side === 'min' ? measured >= value : measured <= value;
}

/** The median of a limit's figure; undefined if it was not measured. */
export function figureOf(
  results: readonly ScenarioResult[],
  { scenario, figure }: Limit,
): number | undefined {
  const result = results.find(({ name }) => name === scenario);
  if (result === undefined) return undefined;
  const values = valuesOf(columnOf(result.kind, figure), result.runs);
  return values.length === 0 ? undefined : median(values);
}

/** Enough digits to tell a missed limit from a kept one. */
const figureText = (figure: number): string => String(Number(figure.toPrecision(4)));
