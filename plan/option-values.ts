// Parses the values of the options of `npm run plan`. A refusal names the allowed values.
import { InvalidArgumentError } from 'commander';
import { parseDuration, parseSize } from '../src/config/kinds.ts';

type Parse = (text: string) => number;

export function whole(min: number, max: number): Parse {
  const range = { min, max, kind: 'a whole number', show: grouped };
  return (text) => within(/^\d+$/.test(text) ? Number(text) : undefined, range);
}

export function amount(min: number, max: number): Parse {
  const range = { min, max, kind: 'a number', show: grouped };
  return (text) => within(/^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined, range);
}

/** Seconds. */
export function time(min: number, max: number): Parse {
  const range = { min, max, kind: 'a duration such as 500ms, 10s or 2h', show: (s: number) => `${s}s` };
  return (text) => {
    const ms = parseDuration(text);
    return within(ms === undefined ? undefined : ms / 1000, range);
  };
}

export function size(min: number, max: number): Parse {
  const range = { min, max, kind: 'a size such as 200, 64KiB or 1GB', show: String };
  return (text) => within(parseSize(text), range);
}

const BITS: Readonly<Record<string, number>> = { k: 1e3, M: 1e6, G: 1e9 };
const RATES: Range = {
  min: 125,
  max: 1e12,
  kind: 'a rate such as 100Mbit or 1Gbit',
  show: (bytes) => `${(bytes * 8) / 1e3}kbit`,
};

/** Bytes a second. */
export function rate(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([kMG])bit$/.exec(text) ?? [];
  return within(number === undefined ? undefined : (Number(number) * (BITS[unit] ?? Number.NaN)) / 8, RATES);
}

interface Range {
  readonly min: number;
  readonly max: number;
  /** In words. */
  readonly kind: string;
  readonly show: (value: number) => string;
}

function within(value: number | undefined, { min, max, kind, show }: Range): number {
  if (value !== undefined && value >= min && value <= max) return value;
  throw new InvalidArgumentError(`allowed: ${kind}, from ${show(min)} to ${show(max)}.`);
}

const grouped = (value: number): string => value.toLocaleString('en-US');
