// Looks at the characters of canonical text (canonical-text.ts) without decoding it. Ranges lie inside a string.
import { BACKSLASH, LETTER_U, QUOTE } from './json-scan.ts';

const LETTER_D = 0x64;
/** Length of an escape such as `\u001b`. */
const MAX_CHARACTER_BYTES = 6;

/** Bytes of the character at b[p]. */
function characterBytes(b: Uint8Array, p: number): number {
  const c = b[p] as number;
  if (c === BACKSLASH) return b[p + 1] === LETTER_U ? 6 : 2;
  if (c < 0x80) return 1;
  return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/** True if b[from, to) has at most `max` characters. A character is a code point. */
export function isAtMost(max: number, b: Uint8Array, from: number, to: number): boolean {
  const length = to - from;
  if (length <= max) return true;
  if (length > MAX_CHARACTER_BYTES * max) return false;
  let count = 0;
  for (let p = from; p < to; p += characterBytes(b, p)) count++;
  return count <= max;
}

/** True if b[from, to) has half of a surrogate pair. */
export function hasHalf(b: Uint8Array, from: number, to: number): boolean {
  for (let p = from; p < to; p++)
    if (b[p] === BACKSLASH && b[++p] === LETTER_U && b[p + 1] === LETTER_D) return true;
  return false;
}

/** True if b[from, to) has a control character or half of a surrogate pair. */
export function hasControl(b: Uint8Array, from: number, to: number): boolean {
  for (let p = from; p < to; p++) {
    const c = b[p] as number;
    if (c === 0x7f || (c === 0xc2 && (b[p + 1] as number) < 0xa0)) return true;
    if (c === BACKSLASH) {
      const escaped = b[++p];
      if (escaped !== QUOTE && escaped !== BACKSLASH) return true;
    }
  }
  return false;
}

/** The first position from `from` to `to` that is no white space. */
export function skipTrimmed(b: Uint8Array, from: number, to: number): number {
  let p = from;
  while (p < to && isSpace(b, p)) p += characterBytes(b, p);
  return p;
}

/** The end of b[from, to) without the white space at its end. */
export function trimmedEnd(b: Uint8Array, from: number, to: number): number {
  if (to > from && MAY_END_SPACE[b[to - 1] as number] === 0) return to;
  let end = from;
  for (let p = from; p < to; ) {
    const isDropped = isSpace(b, p);
    p += characterBytes(b, p);
    if (!isDropped) end = p;
  }
  return end;
}

/** The white space of ECMAScript's String.prototype.trim(). */
function isSpace(b: Uint8Array, p: number): boolean {
  const c = b[p] as number;
  if (c < 0x80 && c !== BACKSLASH) return c === 0x20;
  if (c === BACKSLASH) return isSpaceEscape(b, p);
  if (c === 0xc2) return b[p + 1] === 0xa0;
  if (c < 0xe1 || c > 0xef) return false;
  const code = ((c & 0x0f) << 12) | (((b[p + 1] as number) & 0x3f) << 6) | ((b[p + 2] as number) & 0x3f);
  if (code >= 0x2000 && code <= 0x200a) return true;
  return SPACE_CODES.has(code);
}

/** 0 for bytes that are not the last one of white space. */
const MAY_END_SPACE = new Uint8Array(256).fill(1, 0x80);
for (const byte of Buffer.from(' tnfrb')) MAY_END_SPACE[byte] = 1;
const SPACE_CODES = new Set([0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff]);
const SPACE_LETTERS = Buffer.from('tnfr');
const VERTICAL_TAB = Buffer.from('\\u000b');

function isSpaceEscape(b: Uint8Array, p: number): boolean {
  if (b[p + 1] !== LETTER_U) return SPACE_LETTERS.includes(b[p + 1] as number);
  return VERTICAL_TAB.every((byte, index) => b[p + index] === byte);
}
