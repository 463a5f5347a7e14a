// Scans a reading in one pass that builds no object: a JSON object within READING_LIMITS, in plain ASCII without escapes, with
// up to 64 names in each object, none of them a possible duplicate. readings.ts accepts each of these.
import {
  CLOSE,
  COLON,
  COMMA,
  isDigit,
  MINUS,
  OPEN,
  OPEN_ARRAY,
  QUOTE,
  SPACE,
  skipNumber,
  skipWord,
} from './json-scan.ts';
import { READING_LIMITS } from './readings.ts';

/** Wider objects are rare. With up to this many names, comparing each with all others costs little. */
const MAX_FIELDS = 64;

// Bytes that need no escape in a string: printable ASCII without the quote and the backslash.
const PLAIN = new Uint8Array(256);
for (let c = 0x20; c < 0x7f; c++) PLAIN[c] = 1;
PLAIN[QUOTE] = 0;
PLAIN[0x5c] = 0;

/** Holds the result of the last scan, so that a reading costs no allocation. */
export class ReadingScan {
  /** Bytes of the reading without the white space between tokens. */
  bytes = 0;

  /** The hashes of the names of each open object, from the reading to the innermost one. */
  readonly #names = new Int32Array(READING_LIMITS.depth * MAX_FIELDS);
  // The state of the levels around the innermost one, by depth.
  readonly #starts = new Int32Array(READING_LIMITS.depth);
  readonly #filters = new Int32Array(READING_LIMITS.depth);
  readonly #closes = new Uint8Array(READING_LIMITS.depth);
  /** Members and elements in the nested values of the reading. */
  #nestedMembers = 0;
  /** White space in the last nested value. */
  #nestedSpace = 0;

  /** The position after the object that begins at b[from], or -1 if it is not one that this scan knows. */
  scan(b: Uint8Array, from: number): number {
    const names = this.#names;
    let p = from;
    let fields = 0;
    let space = 0;
    let seen = 0;
    if (b[p++] !== OPEN) return -1;
    this.#nestedMembers = 0;
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
      if ((seen & bit) !== 0 && isAmong(names, 0, fields, hash)) return -1;
      seen |= bit;
      names[fields++] = hash;
      c = b[p++] as number;
      for (; SPACE[c] === 1; c = b[p++] as number) space++;
      if (c !== COLON) return -1;
      c = b[p] as number;
      for (; SPACE[c] === 1; c = b[++p] as number) space++;
      const start = p;
      p = value(b, p, c);
      if (p < 0) {
        // Asked last, so that flat readings do not pay for it.
        if (c !== OPEN && c !== OPEN_ARRAY) return -1;
        p = this.#nested(b, start, fields);
        if (p < 0) return -1;
        space += this.#nestedSpace;
      }
      c = b[p++] as number;
      for (; SPACE[c] === 1; c = b[p++] as number) space++;
      if (c === COMMA) continue;
      if (c !== CLOSE || fields + this.#nestedMembers > READING_LIMITS.members) return -1;
      this.bytes = p - from - space;
      return p;
    }
  }

  /**
   * The position after the object or array at b[from], a value of the reading, or -1. No recursion: a level costs three
   * numbers.
   * @param count names of the reading so far
   */
  #nested(b: Uint8Array, from: number, count: number): number {
    const names = this.#names;
    let members = this.#nestedMembers;
    let space = 0;
    let depth = 1;
    /** The names of the innermost object are names[start, top). */
    let start = 0;
    let top = count;
    let seen = 0;
    let close = 0;
    let p = from;
    let c = b[p] as number;
    for (;;) {
      // A value begins at b[p] with the byte c.
      let isMember = false;
      if (c === OPEN || c === OPEN_ARRAY) {
        if (depth === READING_LIMITS.depth) return -1;
        this.#starts[depth] = start;
        this.#filters[depth] = seen;
        this.#closes[depth++] = close;
        start = top;
        seen = 0;
        close = c + 2;
        c = b[++p] as number;
        for (; SPACE[c] === 1; c = b[++p] as number) space++;
        isMember = c !== close;
      } else {
        p = value(b, p, c);
        if (p < 0) return -1;
        c = b[p] as number;
      }
      while (!isMember) {
        for (; SPACE[c] === 1; c = b[++p] as number) space++;
        if (c === COMMA) {
          c = b[++p] as number;
          for (; SPACE[c] === 1; c = b[++p] as number) space++;
          isMember = true;
        } else {
          if (c !== close) return -1;
          p++;
          top = start;
          start = this.#starts[--depth] as number;
          seen = this.#filters[depth] as number;
          close = this.#closes[depth] as number;
          if (depth === 1) {
            this.#nestedMembers = members;
            this.#nestedSpace = space;
            return p;
          }
          c = b[p] as number;
        }
      }
      if (++members > READING_LIMITS.members) return -1;
      if (close !== CLOSE) continue;
      // As in scan(): a function for both would cost flat readings a call for each name.
      if (c !== QUOTE || top - start === MAX_FIELDS) return -1;
      const nameStart = ++p;
      let hash = 0;
      c = b[p++] as number;
      for (; PLAIN[c] === 1; c = b[p++] as number) hash = ((hash << 5) | (hash >>> 27)) ^ c;
      const length = p - 1 - nameStart;
      if (c !== QUOTE || length === 0 || length > READING_LIMITS.nameLength) return -1;
      const bit = 1 << (hash ^ (hash >> 7));
      if ((seen & bit) !== 0 && isAmong(names, start, top, hash)) return -1;
      seen |= bit;
      names[top++] = hash;
      c = b[p] as number;
      for (; SPACE[c] === 1; c = b[++p] as number) space++;
      if (c !== COLON) return -1;
      c = b[++p] as number;
      for (; SPACE[c] === 1; c = b[++p] as number) space++;
    }
  }
}

// Each byte is loaded once: a step continues with the byte that ended the step before. That is a third faster than
// loading it again.

function isAmong(names: Int32Array, from: number, to: number, hash: number): boolean {
  for (let i = from; i < to; i++) if (names[i] === hash) return true;
  return false;
}

/** The position after the value that begins with the byte `first`, or -1. */
function value(b: Uint8Array, from: number, first: number): number {
  if (isDigit(first) || first === MINUS) {
    const end = skipNumber(b, from, first);
    return end - from <= READING_LIMITS.numberLength ? end : -1;
  }
  if (first === QUOTE) {
    let p = from + 1;
    while (PLAIN[b[p] as number] === 1) p++;
    return b[p] === QUOTE ? p + 1 : -1;
  }
  return skipWord(b, from, first);
}
