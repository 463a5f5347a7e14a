// Checks the query of a request, for all pages alike: an unknown parameter is refused, so that a slip does not show or
// change everything. No text repeats one of the query.
import type { Parameters } from './operations.ts';

/** Longer than any device_id, zipcode or address. Most cities are shorter; any is found by a part of it. */
export const MAX_QUERY_TEXT = 256;

/** Why the query is refused. Undefined if it has only these parameters, and each of them once at most. */
export function faultIn(query: URLSearchParams, parameters: Parameters): string | undefined {
  const given = [...query.keys()];
  if (!given.every((name) => Object.hasOwn(parameters, name)))
    return `there is no such parameter; there are ${Object.keys(parameters).join(', ')}`;
  return new Set(given).size < given.length ? 'each parameter may be there once' : undefined;
}

/** Undefined if the text is not a whole number from `min` to `max`. */
export function wholeNumber(
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number | undefined {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return number >= min && number <= max ? number : undefined;
}
