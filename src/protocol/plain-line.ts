// Checks a plain line, which has to be one JSON object in UTF-8, and finds the top-level fields that choose its key and
// its topic. One pass over the bytes, which copies and changes nothing: the record has the object as it was sent. It
// looks at no limits, and duplicate names are the reader's affair, as with any other producer.
import { isUtf8 } from 'node:buffer';
import type { Code } from './codes.ts';
import {
  BACKSLASH,
  CLOSE,
  COLON,
  COMMA,
  ESCAPABLE,
  HEX,
  isDigit,
  LETTER_U,
  MINUS,
  OPEN,
  OPEN_ARRAY,
  QUOTE,
  SPACE,
  skipNumber,
  skipWord,
  UNESCAPED,
} from './json-scan.ts';

/** A key has at least one byte and at most so many. */
export const MAX_PLAIN_KEY_BYTES = 256;

const LF = 0x0a;
const LETTER_N = 0x6e;
const NOT_ASCII = 0x80;

/** White space between tokens if a line may hold an LF. If an LF ends it, the scan must not go past that. */
const SPACE_AND_LF = Uint8Array.from(SPACE);
SPACE_AND_LF[LF] = 1;

/** A value of the line: bytes[start, end), as JSON. `start` is -1 if there is none. */
export interface FoundValue {
  start: number;
  end: number;
}

export interface PlainScanOptions {
  /** The field that is the key. */
  readonly key: string | null;
  /** The field that names the topic. */
  readonly topic: string | null;
  /** An LF may stand between tokens. */
  readonly allowsLf: boolean;
}

export type PlainProblem = { readonly code: Code; readonly message: string };

const NO_OBJECT: PlainProblem = { code: 'invalid_json', message: 'the line is not a JSON object' };
const BAD_JSON: PlainProblem = { code: 'invalid_json', message: 'the line is not valid JSON' };
const BAD_UTF8: PlainProblem = { code: 'invalid_utf8', message: 'the line is not valid UTF-8' };

/** Holds the result of the last scan, so that a line costs no allocation. */
export class PlainScan {
  /** The object is bytes[start, end). */
  start = 0;
  end = 0;
  /** Of the last field with the name, as most parsers take it. */
  readonly key: FoundValue = { start: -1, end: -1 };
  readonly topic: FoundValue = { start: -1, end: -1 };

  readonly #space: Uint8Array;
  readonly #keyNames: readonly Buffer[];
  readonly #topicNames: readonly Buffer[];
  readonly #hasNames: boolean;
  /** All bytes of strings, OR-ed: outside of strings JSON is ASCII. */
  #bits = 0;
  /** One byte a level: the bracket that closes the level around it. It only grows, up to the longest line. */
  #levels = new Uint8Array(256);

  constructor({ key, topic, allowsLf }: PlainScanOptions) {
    this.#space = allowsLf ? SPACE_AND_LF : SPACE;
    this.#keyNames = key === null ? [] : spellings(key);
    this.#topicNames = topic === null ? [] : spellings(topic);
    this.#hasNames = key !== null || topic !== null;
  }

  /** True if bytes[from, to) is one JSON object, with white space around it at most. problem() says why it is not. */
  scan(bytes: Uint8Array, from: number, to: number): boolean {
    const space = this.#space;
    let p = from;
    while (space[bytes[p] as number] === 1) p++;
    this.start = p;
    this.#bits = 0;
    this.key.start = -1;
    this.topic.start = -1;
    if (bytes[p] !== OPEN) return false;
    p = this.#object(bytes, p);
    // Bytes behind the line may have gone on like JSON.
    if (p < 0 || p > to) return false;
    this.end = p;
    while (p < to && space[bytes[p] as number] === 1) p++;
    return p === to && ((this.#bits & NOT_ASCII) === 0 || isUtf8(viewOf(bytes, this.start, this.end)));
  }

  /** Nothing but white space: some senders write one as a sign of life. */
  isBlank(bytes: Uint8Array, from: number, to: number): boolean {
    let p = from;
    while (p < to && this.#space[bytes[p] as number] === 1) p++;
    return p === to;
  }

  /** Why scan() was false. */
  problem(bytes: Uint8Array, from: number, to: number): PlainProblem {
    if (this.start >= to || bytes[this.start] !== OPEN) return NO_OBJECT;
    return isUtf8(viewOf(bytes, from, to)) ? BAD_JSON : BAD_UTF8;
  }

  /** The outermost object, with a look at its names. Its strings and numbers, the usual values, take no detour. */
  #object(b: Uint8Array, from: number): number {
    const space = this.#space;
    const hasNames = this.#hasNames;
    let p = from + 1;
    while (space[b[p] as number] === 1) p++;
    if (b[p] === CLOSE) return p + 1;
    for (;;) {
      const name = p + 1;
      p = b[p] === QUOTE ? this.#string(b, p) : -1;
      if (p < 0) return -1;
      const nameEnd = p - 1;
      let c = b[p++] as number;
      while (space[c] === 1) c = b[p++] as number;
      if (c !== COLON) return -1;
      c = b[p] as number;
      while (space[c] === 1) c = b[++p] as number;
      const start = p;
      if (c === QUOTE) p = this.#string(b, p);
      else if (isDigit(c) || c === MINUS) p = skipNumber(b, p, c);
      else p = this.#value(b, p);
      if (p < 0) return -1;
      if (hasNames) this.#look(b, name, nameEnd, start, p);
      c = b[p++] as number;
      while (space[c] === 1) c = b[p++] as number;
      if (c === CLOSE) return p;
      if (c !== COMMA) return -1;
      while (space[b[p] as number] === 1) p++;
    }
  }

  #look(b: Uint8Array, name: number, nameEnd: number, start: number, end: number): void {
    if (isName(b, name, nameEnd, this.#keyNames)) found(this.key, start, end);
    if (isName(b, name, nameEnd, this.#topicNames)) found(this.topic, start, end);
  }

  /** The position after the value, or -1. It keeps its own stack: recursion would overflow on a line of brackets. */
  #value(b: Uint8Array, from: number): number {
    const space = this.#space;
    let levels = this.#levels;
    let depth = 0;
    let close = 0;
    let p = from;
    for (;;) {
      let c = b[p] as number;
      if (c === QUOTE) p = this.#string(b, p);
      else if (isDigit(c) || c === MINUS) p = skipNumber(b, p, c);
      else if (c === OPEN || c === OPEN_ARRAY) {
        if (depth === levels.length) levels = this.#levels = grown(levels);
        levels[depth++] = close;
        close = c + 2;
        c = b[++p] as number;
        while (space[c] === 1) c = b[++p] as number;
        if (c !== close) {
          if (close === CLOSE) p = this.#name(b, p);
          if (p < 0) return -1;
          continue;
        }
      } else p = skipWord(b, p, c);
      if (p < 0) return -1;
      // A value has ended, or an empty object or array is about to.
      for (;;) {
        if (depth === 0) return p;
        c = b[p++] as number;
        while (space[c] === 1) c = b[p++] as number;
        if (c !== close) break;
        close = levels[--depth] as number;
      }
      if (c !== COMMA) return -1;
      while (space[b[p] as number] === 1) p++;
      if (close === CLOSE) p = this.#name(b, p);
      if (p < 0) return -1;
    }
  }

  /** From the quote of a name to its value, or -1. */
  #name(b: Uint8Array, from: number): number {
    const end = b[from] === QUOTE ? this.#string(b, from) : -1;
    return end < 0 ? -1 : this.#colon(b, end);
  }

  #colon(b: Uint8Array, from: number): number {
    const space = this.#space;
    let p = from;
    while (space[b[p] as number] === 1) p++;
    if (b[p++] !== COLON) return -1;
    while (space[b[p] as number] === 1) p++;
    return p;
  }

  #string(b: Uint8Array, from: number): number {
    let p = from + 1;
    let bits = 0;
    for (;;) {
      let c = b[p] as number;
      while (UNESCAPED[c] === 1) {
        bits |= c;
        c = b[++p] as number;
      }
      if (c === QUOTE) {
        this.#bits |= bits;
        return p + 1;
      }
      if (c !== BACKSLASH) return -1;
      c = b[p + 1] as number;
      p += 2;
      if (c === LETTER_U) {
        for (const end = p + 4; p < end; p++) if (HEX[b[p] as number] !== 1) return -1;
      } else if (ESCAPABLE[c] !== 1) return -1;
    }
  }
}

/**
 * The text of a string, number or boolean as bytes: a string without quotes and escapes, the others as they were written.
 * Undefined for null, objects, arrays and if there is no value.
 */
export function scalarBytes(bytes: Uint8Array, { start, end }: FoundValue): Buffer | undefined {
  const first = start < 0 ? LETTER_N : (bytes[start] as number);
  if (first === LETTER_N || first === OPEN || first === OPEN_ARRAY) return undefined;
  if (first !== QUOTE) return viewOf(bytes, start, end);
  const text = viewOf(bytes, start + 1, end - 1);
  return text.includes(BACKSLASH) ? Buffer.from(unescaped(bytes, start, end).toWellFormed()) : text;
}

let lastKey: Buffer = Buffer.alloc(0);

/** The key that a line names. Undefined if it has no such value, or one of no or too many bytes. */
export function plainKey(bytes: Uint8Array, value: FoundValue): Buffer | undefined {
  const { start, end } = value;
  // Lines of a sender often share their key. To make a view of the bytes costs as much as half of the scan.
  const length = end - start - 2;
  const isString = start >= 0 && bytes[start] === QUOTE;
  if (isString && length > 0 && length === lastKey.length && isSame(bytes, start + 1, lastKey))
    return lastKey;
  const key = scalarBytes(bytes, value);
  if (key === undefined || key.length === 0 || key.length > MAX_PLAIN_KEY_BYTES) return undefined;
  // Longer with escapes, which would have to be resolved each time.
  if (isString && key.length === length) lastKey = Buffer.from(key);
  return key;
}

/** As encoders write the name: in UTF-8, or with escapes instead of characters that are not ASCII. */
function spellings(name: string): readonly Buffer[] {
  const utf8 = JSON.stringify(name).slice(1, -1);
  const ascii = utf8.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return [...new Set([utf8, ascii])].map((text) => Buffer.from(text));
}

function isName(b: Uint8Array, from: number, to: number, names: readonly Buffer[]): boolean {
  const length = to - from;
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as Buffer;
    if (length === name.length && isSame(b, from, name)) return true;
  }
  return false;
}

function isSame(b: Uint8Array, from: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) if (b[from + i] !== name[i]) return false;
  return true;
}

/** @param from the opening quote @param to the position after the closing one */
function unescaped(b: Uint8Array, from: number, to: number): string {
  return JSON.parse(viewOf(b, from, to).toString()) as string;
}

function found(value: FoundValue, start: number, end: number): void {
  value.start = start;
  value.end = end;
}

function viewOf(bytes: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
}

function grown(array: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(2 * array.length);
  larger.set(array);
  return larger;
}
