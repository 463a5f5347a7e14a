// The short cut for the usual line, {"type":"metrics","seq":1,"data":{flat object}}: one pass over the bytes that builds
// no object. It accepts only lines that decodeLine accepts with the same result, and leaves the rest to decodeLine:
// escapes, other orders of keys, non-ASCII, a possible duplicate name, more than 64 names.
import {
  CLOSE,
  COLON,
  COMMA,
  isDigit,
  MINUS,
  OPEN,
  QUOTE,
  SPACE,
  skipNumber,
  skipWord,
} from './json-scan.ts';
import { READING_LIMITS } from './readings.ts';

const TYPE_METRICS = Buffer.from('"type":"metrics",');
const SEQ = Buffer.from('"seq":');
const DATA = Buffer.from('"data":');
/** Bytes of `,"data":` and of the brace that closes the line. */
const AROUND_DATA = 1 + DATA.length + 1;
/** Wider readings are rare. With up to this many names, comparing each with all others costs little. */
const MAX_FIELDS = 64;
const ZERO = 0x30;

// Bytes that need no escape in a string: printable ASCII without the quote and the backslash.
const PLAIN = new Uint8Array(256);
for (let c = 0x20; c < 0x7f; c++) PLAIN[c] = 1;
PLAIN[QUOTE] = 0;
PLAIN[0x5c] = 0;

/** Holds the result of the last scan, so that a line costs no allocation. */
export class MetricsScan {
  /** -1 if the line had none. */
  seq = -1;
  /** From here to its end the line is the text that recordTail would make, except for white space between tokens. */
  tailStart = 0;
  /** Bytes of that white space. */
  whitespace = 0;
  /** Bytes of the object in `data` without that white space. */
  readingBytes = 0;

  readonly #names = new Int32Array(MAX_FIELDS);

  /** Scans bytes[start, end). False means only that decodeLine has to decide. */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    // No loop checks `end`: the line is followed by an LF, by zeros or by the end of the buffer (undefined), and no state
    // accepts these. `end` is compared once, at the close.
    const b = bytes;
    let p = start;
    if (b[p++] !== OPEN) return false;
    p = token(b, p, TYPE_METRICS);
    if (p < 0) return false;
    this.tailStart = p - 1;
    this.seq = -1;
    let tokenBytes = AROUND_DATA;
    const afterSeq = token(b, p, SEQ);
    if (afterSeq >= 0) {
      p = afterSeq;
      while (SPACE[b[p] as number] === 1) p++;
      const digits = p;
      p = this.#integer(b, p);
      if (p < 0) return false;
      tokenBytes += SEQ.length + (p - digits) + 1;
      while (SPACE[b[p] as number] === 1) p++;
      if (b[p++] !== COMMA) return false;
    }
    p = token(b, p, DATA);
    if (p < 0) return false;
    while (SPACE[b[p] as number] === 1) p++;
    p = this.#object(b, p);
    if (p < 0) return false;
    while (SPACE[b[p] as number] === 1) p++;
    if (b[p++] !== CLOSE) return false;
    while (p < end && SPACE[b[p] as number] === 1) p++;
    this.whitespace = end - this.tailStart - tokenBytes - this.readingBytes;
    return p === end;
  }

  #integer(b: Uint8Array, from: number): number {
    let p = from;
    let value = 0;
    let c = b[p] as number;
    while (isDigit(c)) {
      value = value * 10 + (c - ZERO);
      c = b[++p] as number;
    }
    const digits = p - from;
    // 15 digits are always exact. Longer numbers and a leading zero are rare and left to decodeLine.
    if (digits === 0 || digits > 15 || (digits > 1 && b[from] === ZERO)) return -1;
    this.seq = value;
    return p;
  }

  #object(b: Uint8Array, from: number): number {
    const names = this.#names;
    let p = from;
    let fields = 0;
    let space = 0;
    let seen = 0;
    if (b[p++] !== OPEN) return -1;
    for (;;) {
      let c = b[p++] as number;
      for (; SPACE[c] === 1; c = b[p++] as number) space++;
      if (c !== QUOTE || fields === MAX_FIELDS) return -1;
      const nameStart = p;
      let hash = 0;
      c = b[p++] as number;
      for (; PLAIN[c] === 1; c = b[p++] as number) hash = ((hash << 5) | (hash >>> 27)) ^ c;
      const length = p - 1 - nameStart;
      if (c !== QUOTE || length === 0 || length > READING_LIMITS.nameLength) return -1;
      // A filter of 32 bits: only if its bit is taken can a name be a duplicate. Then the hashes are compared.
      const bit = 1 << (hash ^ (hash >> 7));
      if ((seen & bit) !== 0 && isAmong(names, fields, hash)) return -1;
      seen |= bit;
      names[fields++] = hash;
      c = b[p++] as number;
      for (; SPACE[c] === 1; c = b[p++] as number) space++;
      if (c !== COLON) return -1;
      c = b[p] as number;
      for (; SPACE[c] === 1; c = b[++p] as number) space++;
      p = value(b, p, c);
      if (p < 0) return -1;
      c = b[p++] as number;
      for (; SPACE[c] === 1; c = b[p++] as number) space++;
      if (c === COMMA) continue;
      if (c !== CLOSE) return -1;
      this.readingBytes = p - from - space;
      return p;
    }
  }
}

function isAmong(names: Int32Array, count: number, hash: number): boolean {
  for (let i = 0; i < count; i++) if (names[i] === hash) return true;
  return false;
}

/** Copies bytes[start, end), valid JSON, without the white space between tokens. Returns the position after it. */
export function copyCompact(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  let inString = false;
  let position = at;
  for (let p = start; p < end; p++) {
    const c = bytes[p] as number;
    if (c === QUOTE) inString = !inString;
    if (inString || SPACE[c] !== 1) target[position++] = c;
  }
  return position;
}

// Each byte is loaded once: a step continues with the byte that ended the step before. That is a third faster than
// loading it again.

function token(b: Uint8Array, from: number, expected: Uint8Array): number {
  for (let i = 0; b[from + i] === expected[i]; i++) if (i + 1 === expected.length) return from + i + 1;
  return spacedToken(b, from, expected);
}

// White space may stand before a quote, and before and after a colon, as json.dumps and others write it.
function spacedToken(b: Uint8Array, from: number, expected: Uint8Array): number {
  let p = from;
  for (let i = 0; i < expected.length; i++) {
    const e = expected[i];
    if (i === 0 || e === COLON || e === COMMA || e === QUOTE) {
      const quoted = e === QUOTE && i > 0 && expected[i - 1] !== COLON;
      while (!quoted && SPACE[b[p] as number] === 1) p++;
    }
    if (b[p++] !== e) return -1;
  }
  return p;
}

/** The position after the value that begins with the byte `first`, or -1. */
function value(b: Uint8Array, from: number, first: number): number {
  if (isDigit(first) || first === MINUS) {
    const end = skipNumber(b, from, first);
    return end - from <= READING_LIMITS.valueLength ? end : -1;
  }
  if (first === QUOTE) {
    let p = from + 1;
    while (PLAIN[b[p] as number] === 1) p++;
    return b[p] === QUOTE && p - from - 1 <= READING_LIMITS.valueLength ? p + 1 : -1;
  }
  return skipWord(b, from, first);
}
