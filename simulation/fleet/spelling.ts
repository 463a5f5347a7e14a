// How a message is written as a line. Every spelling of a message becomes the same records, whichever parser of the gateway
// reads it: the usual one or one with other white space, order, escapes, pairs or ignored fields.
import type { Random } from '../world/random.ts';

/** A string, a mark, or any other token of JSON. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
const WHITE_SPACE = ['', '', ' ', '\t', '  ', '\r'];
const IGNORED = [
  '"note":"x"',
  '"note":[1,{"a":[null,true]}]',
  '"note":"\\ud800"',
  '"note":{"type":"keepalive"}',
];

export interface Spelled {
  readonly seq: number | undefined;
  /** Compact JSON objects. */
  readonly readings: readonly string[];
}

type Spelling = (random: Random, message: Spelled) => string;

const SPELLINGS: readonly Spelling[] = [
  (_, message) => usual(message),
  (random, message) => spaced(random, usual(message)),
  (_, { seq, readings }) =>
    `{"data":${dataOf(readings)}${seq === undefined ? '' : `,"seq":${seq}`},"type":"metrics"}`,
  (_, message) =>
    usual(message)
      .replace('"type"', '"t\\u0079pe"')
      .replace(/"d":"d/g, '"d":"\\u0064'),
  (random, message) => usual(message).replace('{', `{${random.pick(IGNORED)},`),
  (random, message) => `${usual(message).slice(0, -1)},${random.pick(IGNORED)}}`,
  (_, message) => `${usual(message)}\r`,
  (_, { seq, readings }) => usual({ seq, readings: readings.map((text) => asPairs(text) ?? text) }),
];

/** @returns the line with its end */
export function spell(random: Random, isPlain: boolean, message: Spelled): string {
  return `${isPlain ? usual(message) : random.pick(SPELLINGS)(random, message)}\n`;
}

function usual({ seq, readings }: Spelled): string {
  return `{"type":"metrics",${seq === undefined ? '' : `"seq":${seq},`}"data":${dataOf(readings)}}`;
}

function dataOf(readings: readonly string[]): string {
  return readings.length === 1 ? (readings[0] ?? '') : `[${readings}]`;
}

function spaced(random: Random, json: string): string {
  const tokens = json.match(TOKEN) ?? [];
  return tokens.map((token) => token + random.pick(WHITE_SPACE)).join('');
}

/** As `"d=device-1,m=5"`. Undefined if the padding could be taken for a number, or if a value is nested. */
function asPairs(reading: string): string | undefined {
  if (reading.includes('"p0"') || reading.includes('"n":')) return undefined;
  const pairs = Object.entries(JSON.parse(reading) as object).map(([name]) => {
    const value = new RegExp(`"${name}":"?([^",}]*)`).exec(reading)?.[1] ?? '';
    return `${name}=${value}`;
  });
  return `"${pairs}"`;
}
