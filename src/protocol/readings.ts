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
  /** Fields of one reading. */
  fields: 1024,
  /** Characters of a field's name. */
  nameLength: 64,
  /** Characters of a string, and of a number as written. */
  valueLength: 1024,
} as const;

export type Readings =
  | { readonly ok: true; readonly readings: string[] }
  | { readonly ok: false; readonly problem: string };

const EQUALS = 0x3d;
/** `,b=` becomes `,"b":""`: a pair grows to twice its length at most, and the last one has the braces. */
const MAX_GROWTH = 3;
const ROOM = 16;

/** 1 for bytes that a control character or half of a surrogate pair begins with. */
const UNUSUAL = new Uint8Array(256);
for (const byte of [BACKSLASH, 0x7f, 0xc2]) UNUSUAL[byte] = 1;

const SHAPE = "field 'data': an object of fields, a 'name=value,name=value' string, or an array of those";
const FIELD_COUNT = `field 'data': a reading holds 1-${READING_LIMITS.fields} fields`;
const READING_COUNT = `field 'data': a batch holds 1-${READING_LIMITS.readings} readings`;
const BAD_NAME = `: names have 1-${READING_LIMITS.nameLength} characters, no control characters`;
const BAD_VALUE = `: a number, boolean, null or string, up to ${READING_LIMITS.valueLength} characters`;

export class ReadingDecoder {
  /** The text of the current reading. */
  readonly #text = new CanonicalText();
  /** The content of a string of pairs. */
  readonly #pairs = new CanonicalText();
  readonly #names = new NameSet();
  /** Length of the line in bytes. */
  #bytes = 0;
  #problem = '';

  /** Decodes the value at b[from]: valid JSON, and followed by `length - from` bytes at most. */
  decode(b: Uint8Array, from: number, length: number): Readings {
    this.#text.begin(MAX_GROWTH * length + ROOM);
    this.#bytes = length;
    const readings: string[] = [];
    if (b[from] !== OPEN_ARRAY) {
      if (this.#reading(b, from) < 0) return { ok: false, problem: this.#problem };
      return { ok: true, readings: [this.#text.toString()] };
    }
    let p = skipSpace(b, from + 1);
    if (b[p] === CLOSE_ARRAY) return { ok: false, problem: READING_COUNT };
    for (;;) {
      if (readings.length === READING_LIMITS.readings) return { ok: false, problem: READING_COUNT };
      p = this.#reading(b, p);
      if (p < 0) return { ok: false, problem: `reading ${readings.length + 1}: ${this.#problem}` };
      readings.push(this.#text.toString());
      p = skipSpace(b, p);
      if (b[p] === CLOSE_ARRAY) return { ok: true, readings };
      p = skipSpace(b, p + 1);
    }
  }

  /** The position after the reading, whose text is in #text. -1 if it is refused, for #problem. */
  #reading(b: Uint8Array, from: number): number {
    this.#text.length = 0;
    this.#names.clear();
    if (b[from] === OPEN) return this.#object(b, from);
    if (b[from] === QUOTE) return this.#pairString(b, from);
    return this.#refuse(SHAPE);
  }

  #object(b: Uint8Array, from: number): number {
    const text = this.#text;
    text.push(OPEN);
    let p = skipSpace(b, from + 1);
    if (b[p] === CLOSE) return this.#refuse(FIELD_COUNT);
    for (let fields = 1; ; fields++) {
      if (fields > READING_LIMITS.fields) return this.#refuse(FIELD_COUNT);
      const name = text.length + 1;
      p = skipColon(b, text.string(b, p));
      const nameEnd = text.length - 1;
      if (!this.#checkName(name, nameEnd)) return -1;
      text.push(COLON);
      p = this.#value(b, p);
      if (p < 0) return this.#refuseField(name, nameEnd, BAD_VALUE);
      p = skipSpace(b, p);
      if (b[p] === CLOSE) break;
      text.push(COMMA);
      p = skipSpace(b, p + 1);
    }
    text.push(CLOSE);
    return p + 1;
  }

  /** Copies the value at b[from]. The position after it, or -1 if a reading may not hold it. */
  #value(b: Uint8Array, from: number): number {
    const text = this.#text;
    const start = text.length;
    const first = b[from] as number;
    if (first === QUOTE) {
      const end = text.string(b, from);
      const { valueLength } = READING_LIMITS;
      if (!isAtMost(valueLength, text.bytes, start + 1, text.length - 1)) return -1;
      return text.wasEscaped && hasHalf(text.bytes, start + 1, text.length - 1) ? -1 : end;
    }
    if (first === OPEN || first === OPEN_ARRAY) return -1;
    let p = from;
    for (let c = first; c > 0x20 && c !== COMMA && c !== CLOSE; c = b[p] as number) p++;
    if (p - from > READING_LIMITS.valueLength) return -1;
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
      if (fields > READING_LIMITS.fields) return this.#refuse(FIELD_COUNT);
      let equals = -1;
      let p = start;
      for (let c = bytes[p]; c !== COMMA && p < last; c = bytes[++p])
        if (c === EQUALS && equals < 0) equals = p;
      if (equals < 0) return this.#refuse("field 'data': each part of the string is name=value");
      if (!this.#pair(bytes, { start, equals, end: p })) return -1;
      if (p === last) break;
      this.#text.push(COMMA);
      start = p + 1;
    }
    this.#text.push(CLOSE);
    return end;
  }

  #pair(b: Uint8Array, pair: { start: number; equals: number; end: number }): boolean {
    const text = this.#text;
    const name = text.length + 1;
    const nameStart = skipTrimmed(b, pair.start, pair.equals);
    this.#quoted(b, nameStart, trimmedEnd(b, nameStart, pair.equals));
    const nameEnd = text.length - 1;
    if (!this.#checkName(name, nameEnd)) return false;
    text.push(COLON);
    const start = skipTrimmed(b, pair.equals + 1, pair.end);
    const end = trimmedEnd(b, start, pair.end);
    const first = b[start] as number;
    if ((isDigit(first) || first === MINUS) && skipNumber(b, start, first) === end) text.copy(b, start, end);
    else this.#quoted(b, start, end);
    const isTaken = isAtMost(READING_LIMITS.valueLength, b, start, end);
    if (isTaken && !(this.#pairs.wasEscaped && hasHalf(b, start, end))) return true;
    return this.#refuseField(name, nameEnd, BAD_VALUE) > 0;
  }

  #quoted(b: Uint8Array, from: number, to: number): void {
    this.#text.push(QUOTE);
    this.#text.copy(b, from, to);
    this.#text.push(QUOTE);
  }

  /** Checks a name that is in #text. */
  #checkName(from: number, to: number): boolean {
    const { bytes } = this.#text;
    let hash = HASH_SEED;
    let unusual = 0;
    for (let p = from; p < to; p++) {
      const c = bytes[p] as number;
      hash = hashByte(hash, c);
      unusual |= UNUSUAL[c] as number;
    }
    if (!this.#names.add(hash, bytes, from, to)) return this.#refuseField(from, to, ' appears twice') > 0;
    const isName = to > from && isAtMost(READING_LIMITS.nameLength, bytes, from, to);
    if (isName && (unusual === 0 || !hasControl(bytes, from, to))) return true;
    return this.#refuseField(from, to, BAD_NAME) > 0;
  }

  #refuse(problem: string): -1 {
    this.#problem = problem;
    return -1;
  }

  // The name goes back to the device in the error reply, so it is bounded.
  #refuseField(from: number, to: number, problem: string): -1 {
    const name = JSON.parse(this.#text.bytes.toString('utf8', from - 1, to + 1)) as string;
    const bounded = name.length > 64 ? `${name.slice(0, 61)}...` : name;
    return this.#refuse(`field '${bounded.toWellFormed()}' of 'data'${problem}`);
  }
}
