// The query of GET /tap. An empty parameter is refused, so that a slip does not show every line.
import { canonicalAddress } from '../../config/ip-address.ts';
import type { TapFilter } from '../../inspect/line-questions.ts';
import type { Parameters } from '../operations.ts';
import { faultIn, MAX_QUERY_TEXT, wholeNumber } from '../query.ts';

export interface TapWish {
  readonly filter: TapFilter;
  readonly linesPerSecond: number;
  readonly seconds: number;
}

const FILTERS = { device_id: 'deviceId', address: 'address', zipcode: 'zipcode' } as const;
const text = (about: string) => ({ about, minLength: 1, maxLength: MAX_QUERY_TEXT });
export const TAP_PARAMETERS = {
  device_id: text('only lines of connections with exactly this; all that are given have to match'),
  address: text('only lines from exactly this IP address, which may be written in any way'),
  zipcode: text('only lines of connections with exactly this'),
  limit_per_second: {
    about: 'lines a second; after quiet up to twice as many',
    min: 1,
    max: 100,
    usual: 10,
  },
  seconds: { about: 'ends after this time', min: 1, max: 600, usual: 600 },
  refused: { about: 'only refused lines', isFlag: true },
} as const satisfies Parameters;

/** A string says why the query is refused. */
export function wishOf(query: URLSearchParams): TapWish | string {
  const fault = faultIn(query, TAP_PARAMETERS);
  if (fault !== undefined) return fault;
  const filter: { -readonly [Key in keyof TapFilter]: TapFilter[Key] } = { refused: false };
  for (const [name, key] of Object.entries(FILTERS)) {
    const value = query.get(name);
    if (value === null) continue;
    if (value === '' || value.length > MAX_QUERY_TEXT) return `${name} has 1 to ${MAX_QUERY_TEXT} characters`;
    const wanted = key === 'address' ? canonicalAddress(value) : value;
    if (wanted === undefined) return 'address is not an IP address';
    filter[key] = wanted;
  }
  const refused = (query.get('refused') ?? 'false').toLowerCase();
  if (!['', 'true', '1', 'false', '0'].includes(refused)) return 'refused is true or false';
  filter.refused = ['', 'true', '1'].includes(refused);
  const [linesPerSecond, seconds] = [numberIn(query, 'limit_per_second'), numberIn(query, 'seconds')];
  if (typeof linesPerSecond === 'string') return linesPerSecond;
  if (typeof seconds === 'string') return seconds;
  return { filter, linesPerSecond, seconds };
}

function numberIn(query: URLSearchParams, name: 'limit_per_second' | 'seconds'): number | string {
  const { min, max, usual } = TAP_PARAMETERS[name];
  const number = wholeNumber(query.get(name) ?? `${usual}`, { min, max });
  return number ?? `${name} is a whole number from ${min} to ${max}`;
}
