// The names that the Go weather server knew, found in any case as Go's encoding/json finds them: letters are compared
// without case, and U+017F (long s) is an s. None of them has a k, which would have a third form too.
import { BACKSLASH, CLOSE_ARRAY, COMMA, OPEN, OPEN_ARRAY, QUOTE, skipSpace } from './json-scan.ts';
import { valueEnd } from './members.ts';

const DATA = Buffer.from('data');
const MESSAGE_NAMES = ['type', 'zipcode', 'city', 'data'];
const READING_NAMES = [
  'timestamp',
  'temperature',
  'humidity',
  'precipitation',
  'wind_speed',
  'wind_direction',
  'pollution_index',
  'pollen_index',
];

/** Bytes that a name in another case holds: capitals, an escape, the beginning of U+017F. */
const FOLDED = new Uint8Array(256);
for (const byte of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ\\ſ')) FOLDED[byte] = 1;

export class GoNames {
  /** By the first byte that a name may be written with, in any case. */
  readonly #byFirst: (readonly Buffer[] | undefined)[] = Array.from({ length: 256 });

  constructor(names: readonly string[]) {
    const bytes = names.map((name) => Buffer.from(name));
    // None begins with s, which has a third form.
    for (const letter of new Set(bytes.map(([first = 0]) => first))) {
      const found = bytes.filter(([first]) => first === letter);
      this.#byFirst[letter] = found;
      this.#byFirst[letter & ~0x20] = found;
    }
  }

  /** The known name that b[from, to) is in some case. Undefined if it is none. @param b canonical text */
  find(b: Uint8Array, from: number, to: number): Buffer | undefined {
    const names = this.#byFirst[b[from] as number];
    if (names === undefined) return undefined;
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as Buffer;
      if (isFolded(name, b, from, to)) return name;
    }
    return undefined;
  }
}

export const GO_MESSAGE_NAMES = new GoNames(MESSAGE_NAMES);
export const GO_READING_NAMES = new GoNames(READING_NAMES);

function isFolded(name: Buffer, b: Uint8Array, from: number, to: number): boolean {
  // No form of a letter has more than two bytes.
  if (to - from < name.length || to - from > 2 * name.length) return false;
  let p = from;
  for (let i = 0; i < name.length; i++) {
    const letter = name[i];
    const c = b[p++] as number;
    if (c === letter || (c >= 0x41 && c <= 0x5a && (c | 0x20) === letter)) continue;
    if (c === 0xc5 && b[p] === 0xbf && letter === 0x73) p += 1;
    else return false;
  }
  return p === to;
}

/** True if the reading at b[start], valid JSON, needs no translation. It may say false of one that needs none. */
export function isInGoForm(b: Uint8Array, start: number): boolean {
  return isObjectInGoForm(b, start, GO_READING_NAMES);
}

/** The same of a message: of its own names, and of those of its readings. @param start of the line, an accepted message */
export function isMessageInGoForm(b: Uint8Array, start: number): boolean {
  return isObjectInGoForm(b, skipSpace(b, start), GO_MESSAGE_NAMES);
}

function isObjectInGoForm(b: Uint8Array, start: number, names: GoNames): boolean {
  let p = skipSpace(b, start + 1);
  while (b[p] === QUOTE) {
    const name = ++p;
    let folded = 0;
    for (let c = b[p] as number; c !== QUOTE; c = b[++p] as number) {
      if (c === BACKSLASH) return false;
      folded |= FOLDED[c] as number;
    }
    if (folded !== 0 && names.find(b, name, p) !== undefined) return false;
    const isData = names === GO_MESSAGE_NAMES && p - name === DATA.length && isFolded(DATA, b, name, p);
    // The colon and the comma, with space around them.
    p = skipSpace(b, skipSpace(b, p + 1) + 1);
    if (isData && !isDataInGoForm(b, p)) return false;
    p = skipSpace(b, valueEnd(b, p));
    if (b[p] === COMMA) p = skipSpace(b, p + 1);
  }
  return true;
}

function isDataInGoForm(b: Uint8Array, start: number): boolean {
  if (b[start] !== OPEN_ARRAY) return b[start] !== OPEN || isInGoForm(b, start);
  for (let p = start; b[p] !== CLOSE_ARRAY; p = skipSpace(b, valueEnd(b, p))) {
    p = skipSpace(b, p + 1);
    if (b[p] === OPEN && !isInGoForm(b, p)) return false;
  }
  return true;
}
