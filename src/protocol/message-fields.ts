// Finds the fields of a message in the bytes of its line. Unknown fields are checked as JSON and skipped; only their names
// are looked at, for duplicates. No value is decoded before it is asked for.
import { writeString } from './canonical-text.ts';
import {
  CLOSE,
  COMMA,
  fail,
  faultAt,
  OPEN,
  QUOTE,
  skipColon,
  skipSpace,
  skipString,
  skipValue,
  UNESCAPED,
} from './json-scan.ts';
import { HASH_SEED, hashByte, hashOf, NameSet } from './name-set.ts';

const LF = 0x0a;
// In place of the position of a field.
const MISSING = -1;
const TWICE = -2;
/** Length of an escaped surrogate pair, the longest way to write a character. */
const MAX_RAW_BYTES = 12;

export const FIELDS = [
  'type',
  'seq',
  'data',
  'zipcode',
  'city',
  'device_id',
  'token',
  'tags',
  'traceparent',
  'resume',
] as const;
export type Field = (typeof FIELDS)[number];
const NAMES = FIELDS.map((field) => Buffer.from(field));

/** Positions in the bytes of the line. An end is the position after the last byte. */
interface Member {
  readonly name: number;
  readonly nameEnd: number;
  readonly start: number;
  readonly end: number;
}

export class MessageFields {
  /** The line, followed by an LF. */
  bytes: Buffer<ArrayBuffer> = Buffer.alloc(1024);
  /** Bytes of the line. */
  length = 0;
  /** After read() was false: the position of the first byte that is not JSON. */
  fault = 0;
  readonly #starts = new Int32Array(FIELDS.length);
  readonly #ends = new Int32Array(FIELDS.length);
  readonly #names = new NameSet();
  #duplicate: string | undefined;
  /** The place of the first unknown name. Its end is -1 if there is none. */
  #unknown = 0;
  #unknownEnd = -1;

  /** Reads a line. False if it is not one JSON object. @param line has to be UTF-8 */
  read(line: Uint8Array): boolean {
    this.length = line.length;
    if (this.bytes.length <= line.length) this.bytes = Buffer.allocUnsafeSlow(2 * line.length);
    this.bytes.set(line);
    this.bytes[line.length] = LF;
    this.#starts.fill(MISSING);
    this.#names.clear();
    this.#duplicate = undefined;
    this.#unknownEnd = -1;
    const end = this.#object(skipSpace(this.bytes, 0));
    this.fault = end < 0 ? faultAt() : end;
    return end === line.length;
  }

  /** The first name that came twice, with its escapes resolved. */
  get duplicate(): string | undefined {
    return this.#duplicate;
  }

  /** A name that is not among these: the first unknown one, else a field of another type of message. */
  unknown(known: ReadonlySet<string>): string | undefined {
    if (this.#unknownEnd >= 0) {
      const name = this.#name(this.#unknown, this.#unknownEnd);
      if (!known.has(name)) return name;
    }
    return FIELDS.find((field, number) => this.#starts[number] !== MISSING && !known.has(field));
  }

  /** The position of the value of a field. Negative if the message does not have it. */
  start(field: Field): number {
    return this.#starts[FIELDS.indexOf(field)] as number;
  }

  /** The text of a value as it was written. Undefined if there is none, or if it is longer than `maxBytes`. */
  raw(field: Field, maxBytes: number): string | undefined {
    const number = FIELDS.indexOf(field);
    const start = this.#starts[number] as number;
    const end = this.#ends[number] as number;
    return start < 0 || end - start > maxBytes ? undefined : this.bytes.toString('utf8', start, end);
  }

  /** A string. Undefined if the field is missing, no string, or certainly longer than `max` characters. */
  string(field: Field, max: number): string | undefined {
    const raw = this.raw(field, MAX_RAW_BYTES * max + 2);
    if (raw === undefined || raw.charCodeAt(0) !== QUOTE) return undefined;
    return raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
  }

  /** The position after the object and the white space behind it, or -1. */
  #object(from: number): number {
    const b = this.bytes;
    if (b[from] !== OPEN) return fail(from);
    let p = skipSpace(b, from + 1);
    if (b[p] === CLOSE) return skipSpace(b, p + 1);
    for (;;) {
      if (b[p] !== QUOTE) return fail(p);
      const name = p + 1;
      let hash = HASH_SEED;
      let c = b[++p] as number;
      for (; UNESCAPED[c] === 1; c = b[++p] as number) hash = hashByte(hash, c);
      let nameEnd = p;
      if (c !== QUOTE) {
        // The name is written over its raw text, so that equal names have equal bytes.
        const end = skipString(b, p - 1);
        if (end < 0) return -1;
        nameEnd = writeString(b, p, b, p);
        hash = hashOf(b, name, nameEnd);
        p = end - 1;
      }
      const start = skipColon(b, p + 1);
      if (start < 0) return -1;
      const end = skipValue(b, start);
      if (end < 0) return -1;
      this.#take(hash, { name, nameEnd, start, end });
      p = skipSpace(b, end);
      c = b[p++] as number;
      if (c === CLOSE) return skipSpace(b, p);
      if (c !== COMMA) return fail(p - 1);
      p = skipSpace(b, p);
    }
  }

  #take(hash: number, { name, nameEnd, start, end }: Member): void {
    const b = this.bytes;
    const number = fieldNumber(b, name, nameEnd);
    if (number >= 0) {
      this.#starts[number] = this.#starts[number] === MISSING ? start : TWICE;
      this.#ends[number] = end;
    } else if (this.#unknownEnd < 0) {
      this.#unknown = name;
      this.#unknownEnd = nameEnd;
    }
    if (this.#duplicate === undefined && !this.#names.add(hash, b, name, nameEnd))
      this.#duplicate = this.#name(name, nameEnd);
  }

  #name(from: number, to: number): string {
    return JSON.parse(`"${this.bytes.toString('utf8', from, to)}"`) as string;
  }
}

function fieldNumber(bytes: Uint8Array, start: number, end: number): number {
  for (let number = 0; number < NAMES.length; number++)
    if (isName(NAMES[number] as Buffer, bytes, start, end)) return number;
  return -1;
}

function isName(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}

/** True if the first byte after white space is that of an object. */
export function beginsObject(bytes: Uint8Array, start: number, end: number): boolean {
  let p = start;
  for (; p < end; p++) {
    const c = bytes[p];
    if (c !== 0x20 && c !== 0x09 && c !== 0x0d) return c === OPEN;
  }
  return false;
}
