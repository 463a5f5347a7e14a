// Damages a line as bytes or as JSON tokens. Lines are texts of bytes (latin1), so that any byte can be anywhere.
import type { Random } from '../chaos/random.ts';

type Mutation = (line: string, random: Random) => string;

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s"{}[\]:,]+|\s+/g;
const MAX_TOKENS = 400;

/** Texts in UTF-8, and bytes that are none. */
const INSERTED = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '\\',
    '/',
    '-',
    '.',
    'e',
    '0',
    '1',
    '=',
    "'",
    '//',
    'NaN',
    'null',
    'true',
    '{}',
    '[]',
  ],
  ...[' ', '\t', '\r', '\n', '\r\n', '\0', '\v', '\f', '\x7f', '\x1b'],
  ...[
    '\\u0061',
    '\\u0000',
    '\\u0022',
    '\\u005c',
    '\\ud83c',
    '\\udf27',
    '\\ud83c\\udf27',
    '\\u00a0',
    '\\uD800',
    '\\n',
    '\\/',
    '\\x',
    '\\u12',
  ],
  ...[
    '"a":1,',
    '"a":1',
    '"type":"metrics",',
    '"type":"keepalive",',
    '"seq":5,',
    '"seq":7',
    '"data":{"a":1},',
    '"zipcode":"1",',
  ],
  ...['\u0085', '\u00a0', '\u2028', '\u3000', '\ufeff', 'ü', '🌧', '\ufffe'].map((text) =>
    Buffer.from(text).toString('latin1'),
  ),
  ...['\x80', '\xff', '\xc0\xaf', '\xed\xa0\x80', '\xf4\x90\x80\x80', '\xe2\x82', '\xf0\x9f\x8c', '\xc2'],
  ...[
    '1e400',
    '9'.repeat(30),
    '9'.repeat(1025),
    '[['.repeat(20),
    ']]'.repeat(20),
    '{"":'.repeat(20),
    '01',
    '1.',
    '.5',
    '+1',
    '-Infinity',
    '0x1',
  ],
];

const MUTATIONS: readonly Mutation[] = [
  // As bytes.
  (line, random) =>
    splice(line, random, 1, (byte) => String.fromCharCode(byte.charCodeAt(0) ^ (1 << random.between(0, 7)))),
  (line, random) => splice(line, random, 1, () => String.fromCharCode(random.between(0, 255))),
  (line, random) => splice(line, random, random.between(1, 8), () => ''),
  (line, random) => splice(line, random, random.between(1, 20), (part) => part + part),
  (line, random) => line.slice(0, random.between(0, line.length)),
  (line, random) => line.slice(random.between(0, line.length)),
  (line, random) => splice(line, random, 0, () => random.pick(INSERTED)),
  (line, random) => splice(line, random, 0, () => random.pick(INSERTED)),
  (line, random) => splice(line, random, 2, () => random.pick(INSERTED)),
  (line, random) => `${random.pick(INSERTED)}${line}`,
  (line, random) => `${line}${random.pick(INSERTED)}`,
  // As tokens.
  (line, random) => tokens(line, (list) => swap(list, random)),
  (line, random) => tokens(line, (list) => replace(list, random, (token) => token + token)),
  (line, random) => tokens(line, (list) => replace(list, random, () => '')),
  (line, random) => tokens(line, (list) => replace(list, random, () => random.pick(list))),
  (line, random) => tokens(line, (list) => replace(list, random, () => random.pick(INSERTED))),
  (line, random) => tokens(line, (list) => doubleMember(list, random)),
  (line, random) => tokens(line, (list) => number(list, random)),
  (line, random) =>
    tokens(line, (list) =>
      list.map((token) => (random.next() < 0.3 ? token + random.pick([' ', '\t', '\r']) : token)),
    ),
];

export function mutated(line: string, random: Random): string {
  return random.pick(MUTATIONS)(line, random);
}

function splice(line: string, random: Random, count: number, change: (part: string) => string): string {
  const at = random.between(0, Math.max(0, line.length - count));
  if (line.length < count) return line;
  return line.slice(0, at) + change(line.slice(at, at + count)) + line.slice(at + count);
}

function tokens(line: string, change: (list: string[]) => string[]): string {
  const list = line.match(TOKEN) ?? [];
  return list.length === 0 || list.length > MAX_TOKENS ? line : change(list).join('');
}

function replace(list: string[], random: Random, change: (token: string) => string): string[] {
  const at = random.between(0, list.length - 1);
  return list.map((token, index) => (index === at ? change(token) : token));
}

function swap(list: string[], random: Random): string[] {
  const [a, b] = [random.between(0, list.length - 1), random.between(0, list.length - 1)];
  return list.map((token, index) => list[index === a ? b : index === b ? a : index] ?? token);
}

/** Writes a member twice, the second time perhaps with another value. */
function doubleMember(list: string[], random: Random): string[] {
  const colons = list.flatMap((token, index) => (token === ':' ? [index] : []));
  if (colons.length === 0) return list;
  const at = random.pick(colons);
  const member = [list[at - 1] ?? '', ':', random.next() < 0.5 ? (list[at + 1] ?? '') : '1'];
  return [...list.slice(0, at - 1), ...member, ',', ...list.slice(at - 1)];
}

function number(list: string[], random: Random): string[] {
  const numbers = list.flatMap((token, index) => (/^-?\d/.test(token) ? [index] : []));
  if (numbers.length === 0) return list;
  const at = random.pick(numbers);
  const change = random.pick([
    (text: string) => `-${text}`,
    (text: string) => `${text}.0`,
    (text: string) => `0${text}`,
    (text: string) => `${text}e${random.pick(['1', '+1', '-400', '400', ''])}`,
    (text: string) => text + '0'.repeat(random.pick([1, 20, 1024])),
    (text: string) => `"${text}"`,
  ]);
  return list.map((token, index) => (index === at ? change(token) : token));
}
