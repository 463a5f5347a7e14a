// Turns the `data` of a metrics message into the JSON text of each reading, as its record has it. Numbers stay as the
// device wrote them. It works on bytes, because a line may hold thousands of names.
import { hasControl, hasHalf, isAtMost, skipTrimmed, trimmedEnd } from './canonical-characters.ts';
import { CanonicalText } from './canonical-text.ts';
import {
  BACKSLASH,
  CLOSE,
  CLOSE_ARRAY,
  COLON,
  COMMA,
  isDigit,
  MINUS,
  OPEN,
  OPEN_ARRAY,
  QUOTE,
  skipColon,
  skipNumber,
  skipSpace,
} from './json-scan.ts';
import { HASH_SEED, hashByte, NameSet } from './name-set.ts';

export const READING_LIMITS = {
  /** Readings of one batch message. */
  readings: 1000,
  /** Members of all objects and elements of all arrays in one reading. */
  members: 1024,
  /** Objects and arrays in each other. The reading itself is the first. */
  depth: 16,
  /** Characters of a field's name. */
  nameLength: 64,
  /** Characters of a number as written. A string may be as long as its line. */
  numberLength: 1024,
} as const;

export type Readings =
  | { readonly ok: true; readonly readings: string[] }
  | {
      readonly ok: false;
      readonly problem: string;
      /** The position of the fault. */
      readonly at: number;
    };

const EQUALS = 0x3d;
/** `,b=` becomes `,"b":""`: a pair grows to twice its length at most, and the last one has the braces. */
const MAX_GROWTH = 3;
const ROOM = 16;

/** 1 for bytes that a control character or half of a surrogate pair begins with. */
const UNUSUAL = new Uint8Array(256);
for (const byte of [BACKSLASH, 0x7f, 0xc2]) UNUSUAL[byte] = 1;

const SHAPE = "field 'data': an object of fields, a 'name=value,name=value' string, or an array of those";
const MEMBER_COUNT = `field 'data': a reading holds 1-${READING_LIMITS.members} fields, nested ones and elements of arrays included`;
const READING_COUNT = `field 'data': a batch holds 1-${READING_LIMITS.readings} readings`;
const BAD_NAME = `: names have 1-${READING_LIMITS.nameLength} characters, no control characters`;
const BAD_NUMBER = `: a number has up to ${READING_LIMITS.numberLength} characters`;
const BAD_STRING = ': a string holds no half of a surrogate pair';
const TOO_DEEP = `: objects and arrays are nested up to ${READING_LIMITS.depth} deep`;
const TWICE = ' appears twice';
const MAX_PATH = 64;

interface PairProblem {
  readonly text: string;
  readonly name: string;
}

export class ReadingDecoder {
  /** The text of the current reading. */
  readonly #text = new CanonicalText();
  /** The content of a string of pairs. */
  readonly #pairs = new CanonicalText();
  readonly #names = new NameSet();
  /** Length of the line in bytes. */
  #bytes = 0;
  /** Members and elements of the reading so far. */
  #members = 0;
  #objects = 0;
  #problem = '';
  #at = 0;
  /** The field that a problem is about, from the reading to it. Undefined if the problem is about the whole reading. */
  #path: string | undefined;

  /** Decodes the value at b[from]: valid JSON, and followed by `length - from` bytes at most. */
  decode(b: Uint8Array, from: number, length: number): Readings {
    this.#text.begin(MAX_GROWTH * length + ROOM);
    this.#bytes = length;
    const readings: string[] = [];
    if (b[from] !== OPEN_ARRAY) {
      if (this.#reading(b, from) < 0) return this.#refusal('');
      return { ok: true, readings: [this.#text.toString()] };
    }
    let p = skipSpace(b, from + 1);
    if (b[p] === CLOSE_ARRAY) return { ok: false, problem: READING_COUNT, at: from };
    for (;;) {
      if (readings.length === READING_LIMITS.readings) return { ok: false, problem: READING_COUNT, at: p };
      p = this.#reading(b, p);
      if (p < 0) return this.#refusal(`reading ${readings.length + 1}: `);
      readings.push(this.#text.toString());
      p = skipSpace(b, p);
      if (b[p] === CLOSE_ARRAY) return { ok: true, readings };
      p = skipSpace(b, p + 1);
    }
  }

  // The path goes back to the device in the error reply, so it is bounded.
  #refusal(reading: string): Readings {
    const path = this.#path;
    const field = path === undefined ? '' : `field '${bounded(path).toWellFormed()}' of 'data'`;
    return { ok: false, problem: `${reading}${field}${this.#problem}`, at: this.#at };
  }

  /** The position after the reading, whose text is in #text. -1 if it is refused, for #problem. */
  #reading(b: Uint8Array, from: number): number {
    this.#text.length = 0;
    this.#names.clear();
    this.#members = 0;
    this.#objects = 0;
    if (b[from] === OPEN) return this.#object(b, from, 1);
    if (b[from] === QUOTE) return this.#pairString(b, from);
    return this.#refuse(from, SHAPE);
  }

  // Recursion is safe: #value() refuses a 17th level before it calls again.
  #object(b: Uint8Array, from: number, depth: number): number {
    const text = this.#text;
    const object = this.#objects++;
    text.push(OPEN);
    let p = skipSpace(b, from + 1);
    if (b[p] === CLOSE && depth === 1) return this.#refuse(from, MEMBER_COUNT);
    while (b[p] !== CLOSE) {
      if (++this.#members > READING_LIMITS.members) return this.#refuse(p, MEMBER_COUNT);
      const name = text.length + 1;
      const nameAt = p;
      p = skipColon(b, text.string(b, p));
      const nameEnd = text.length - 1;
      const problem = this.#nameProblem(name, nameEnd, object);
      if (problem !== undefined) return this.#refuseField(nameAt, problem, this.#segment(name, nameEnd));
      text.push(COLON);
      p = this.#value(b, p, depth);
      if (p < 0) return this.#within(this.#segment(name, nameEnd));
      p = skipSpace(b, p);
      if (b[p] === CLOSE) break;
      text.push(COMMA);
      p = skipSpace(b, p + 1);
    }
    text.push(CLOSE);
    return p + 1;
  }

  #array(b: Uint8Array, from: number, depth: number): number {
    const text = this.#text;
    text.push(OPEN_ARRAY);
    let p = skipSpace(b, from + 1);
    for (let index = 0; b[p] !== CLOSE_ARRAY; index++) {
      if (++this.#members > READING_LIMITS.members) return this.#refuse(p, MEMBER_COUNT);
      p = this.#value(b, p, depth);
      if (p < 0) return this.#within(`[${index}]`);
      p = skipSpace(b, p);
      if (b[p] === CLOSE_ARRAY) break;
      text.push(COMMA);
      p = skipSpace(b, p + 1);
    }
    text.push(CLOSE_ARRAY);
    return p + 1;
  }

  /**
   * Copies the value at b[from]. The position after it, or -1 if a reading may not hold it.
   * @param depth of the object or array around it
   */
  #value(b: Uint8Array, from: number, depth: number): number {
    const text = this.#text;
    const start = text.length;
    const first = b[from] as number;
    if (first === QUOTE) {
      const end = text.string(b, from);
      if (!text.wasEscaped || !hasHalf(text.bytes, start + 1, text.length - 1)) return end;
      return this.#refuseField(from, BAD_STRING, '');
    }
    if (first === OPEN || first === OPEN_ARRAY) {
      if (depth === READING_LIMITS.depth) return this.#refuseField(from, TOO_DEEP, '');
      return first === OPEN ? this.#object(b, from, depth + 1) : this.#array(b, from, depth + 1);
    }
    let p = from;
    for (let c = first; c > 0x20 && c !== COMMA && c !== CLOSE && c !== CLOSE_ARRAY; c = b[p] as number) p++;
    if (p - from > READING_LIMITS.numberLength) return this.#refuseField(from, BAD_NUMBER, '');
    text.copy(b, from, p);
    return p;
  }

  // `name=value,name=value`, to be typed by hand. Nothing is quoted, so a value cannot hold a comma.
  #pairString(b: Uint8Array, from: number): number {
    const pairs = this.#pairs;
    pairs.begin(this.#bytes);
    const end = pairs.string(b, from);
    const last = pairs.length - 1;
    const { bytes } = pairs;
    this.#text.push(OPEN);
    let start = 1;
    for (let fields = 1; ; fields++) {
      if (fields > READING_LIMITS.members) return this.#refuse(from, MEMBER_COUNT);
      let equals = -1;
      let p = start;
      for (let c = bytes[p]; c !== COMMA && p < last; c = bytes[++p])
        if (c === EQUALS && equals < 0) equals = p;
      if (equals < 0) return this.#refuse(from, "field 'data': each part of the string is name=value");
      const problem = this.#pair(bytes, { start, equals, end: p });
      // Escapes are resolved already, so only the place of the whole string is known.
      if (problem !== undefined) return this.#refuseField(from, problem.text, problem.name);
      if (p === last) break;
      this.#text.push(COMMA);
      start = p + 1;
    }
    this.#text.push(CLOSE);
    return end;
  }

  /** Copies a pair. Tells its problem if a reading may not hold it. */
  #pair(b: Uint8Array, pair: { start: number; equals: number; end: number }): PairProblem | undefined {
    const text = this.#text;
    const name = text.length + 1;
    const nameStart = skipTrimmed(b, pair.start, pair.equals);
    this.#quoted(b, nameStart, trimmedEnd(b, nameStart, pair.equals));
    const nameEnd = text.length - 1;
    const badName = this.#nameProblem(name, nameEnd, 0);
    if (badName !== undefined) return { text: badName, name: this.#segment(name, nameEnd) };
    text.push(COLON);
    const start = skipTrimmed(b, pair.equals + 1, pair.end);
    const end = trimmedEnd(b, start, pair.end);
    const first = b[start] as number;
    const isNumber = (isDigit(first) || first === MINUS) && skipNumber(b, start, first) === end;
    if (isNumber && end - start > READING_LIMITS.numberLength)
      return { text: BAD_NUMBER, name: this.#segment(name, nameEnd) };
    if (isNumber) text.copy(b, start, end);
    else this.#quoted(b, start, end);
    const hasBadHalf = this.#pairs.wasEscaped && hasHalf(b, start, end);
    return hasBadHalf ? { text: BAD_STRING, name: this.#segment(name, nameEnd) } : undefined;
  }

  #quoted(b: Uint8Array, from: number, to: number): void {
    this.#text.push(QUOTE);
    this.#text.copy(b, from, to);
    this.#text.push(QUOTE);
  }

  /** Why an object may not have this name, which is in #text. */
  #nameProblem(from: number, to: number, object: number): string | undefined {
    const { bytes } = this.#text;
    let hash = HASH_SEED;
    let unusual = 0;
    for (let p = from; p < to; p++) {
      const c = bytes[p] as number;
      hash = hashByte(hash, c);
      unusual |= UNUSUAL[c] as number;
    }
    if (!this.#names.add(hash, bytes, from, to, object)) return TWICE;
    const isName = to > from && isAtMost(READING_LIMITS.nameLength, bytes, from, to);
    return isName && (unusual === 0 || !hasControl(bytes, from, to)) ? undefined : BAD_NAME;
  }

  #refuse(at: number, problem: string): -1 {
    this.#at = at;
    this.#problem = problem;
    this.#path = undefined;
    return -1;
  }

  /** @param path from the object or array that is being read */
  #refuseField(at: number, problem: string, path: string): -1 {
    this.#refuse(at, problem);
    this.#path = path;
    return -1;
  }

  /** Puts the name or index of a value before the path to the problem in it. */
  #within(segment: string): -1 {
    const path = this.#path;
    if (path !== undefined)
      this.#path = path === '' || path.startsWith('[') ? segment + path : `${segment}.${path}`;
    return -1;
  }

  /** The name at a place in #text, with its escapes resolved. */
  #segment(from: number, to: number): string {
    return bounded(JSON.parse(this.#text.bytes.toString('utf8', from - 1, to + 1)) as string);
  }
}

function bounded(text: string): string {
  return text.length > MAX_PATH ? `${text.slice(0, MAX_PATH - 3)}...` : text;
}
