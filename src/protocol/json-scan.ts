// Checks the syntax of JSON text (RFC 8259) in bytes and finds where its values end. It decodes nothing and never throws.
// No loop looks for the end of the bytes: an LF has to follow the text, and no function here accepts one. The bytes have
// to be UTF-8.

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const MINUS = 0x2d;
export const COLON = 0x3a;
export const BACKSLASH = 0x5c;
export const OPEN_ARRAY = 0x5b;
export const CLOSE_ARRAY = 0x5d;
export const OPEN = 0x7b;
export const CLOSE = 0x7d;
export const LETTER_U = 0x75;
const POINT = 0x2e;
const ZERO = 0x30;

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

/** 1 for white space between tokens. JSON's fourth kind, the LF, ends the line. */
export const SPACE = tableOf(' \t\r');
/** 1 for bytes that may follow a backslash, but for the `u`. */
export const ESCAPABLE = tableOf('"\\/bfnrt');
export const HEX = tableOf('0123456789abcdefABCDEF');
/** 1 for bytes that stand for themselves in a string. */
export const UNESCAPED = new Uint8Array(256).fill(1, 0x20);
UNESCAPED[QUOTE] = 0;
UNESCAPED[BACKSLASH] = 0;

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(characters)) table[byte] = 1;
  return table;
}

let fault = 0;

/** The position that the last -1 was about: of the first byte that JSON does not allow there. */
export function faultAt(): number {
  return fault;
}

/** Every -1 of a scan comes from here, so good text pays nothing for the place of a fault. */
export function fail(position: number): -1 {
  fault = position;
  return -1;
}

export function skipSpace(b: Uint8Array, from: number): number {
  let p = from;
  while (SPACE[b[p] as number] === 1) p++;
  return p;
}

/** From the quote that opens a string to the position after the one that closes it, or -1. */
export function skipString(b: Uint8Array, from: number): number {
  let p = from + 1;
  for (;;) {
    let c = b[p] as number;
    while (UNESCAPED[c] === 1) c = b[++p] as number;
    if (c === QUOTE) return p + 1;
    if (c !== BACKSLASH) return fail(p);
    c = b[p + 1] as number;
    p += 2;
    if (c === LETTER_U) {
      for (const end = p + 4; p < end; p++) if (HEX[b[p] as number] !== 1) return fail(p);
    } else if (ESCAPABLE[c] !== 1) {
      return fail(p - 1);
    }
  }
}

/** From the quote of a name to its value, behind the colon and white space, or -1. */
function skipName(b: Uint8Array, from: number): number {
  const end = b[from] === QUOTE ? skipString(b, from) : fail(from);
  return end < 0 ? -1 : skipColon(b, end);
}

export function skipColon(b: Uint8Array, from: number): number {
  const colon = skipSpace(b, from);
  return b[colon] === COLON ? skipSpace(b, colon + 1) : fail(colon);
}

/** The position after the number that begins with the byte `first`, or -1. It may be followed by anything. */
export function skipNumber(b: Uint8Array, from: number, first: number): number {
  let p = from;
  let c = first;
  if (c === MINUS) c = b[++p] as number;
  if (!isDigit(c)) return fail(p);
  const isZero = c === ZERO;
  c = b[++p] as number;
  while (!isZero && isDigit(c)) c = b[++p] as number;
  if (c === POINT) {
    c = b[++p] as number;
    if (!isDigit(c)) return fail(p);
    while (isDigit(c)) c = b[++p] as number;
  }
  if (c === 0x65 || c === 0x45) {
    c = b[++p] as number;
    if (c === 0x2b || c === MINUS) c = b[++p] as number;
    if (!isDigit(c)) return fail(p);
    while (isDigit(c)) c = b[++p] as number;
  }
  return p;
}

/** The position after the true, false or null that begins with the byte `first`, or -1. */
export function skipWord(b: Uint8Array, from: number, first: number): number {
  const expected = first === 0x74 ? TRUE : first === 0x66 ? FALSE : NULL;
  for (let i = 0; i < expected.length; i++) if (b[from + i] !== expected[i]) return fail(from + i);
  return from + expected.length;
}

function skipScalar(b: Uint8Array, from: number, first: number): number {
  if (first === QUOTE) return skipString(b, from);
  if (isDigit(first) || first === MINUS) return skipNumber(b, from, first);
  return skipWord(b, from, first);
}

/** One byte a level, so a line of brackets needs no more memory than the line. It only grows. */
let levels = new Uint8Array(256);

/** The position after the value, or -1. It keeps its own stack: recursion would overflow on a line of brackets. */
export function skipValue(b: Uint8Array, from: number): number {
  let stack = levels;
  let depth = 0;
  // The bracket that closes the innermost level. Those of the levels around it are in the stack.
  let close = 0;
  let p = from;
  for (;;) {
    let c = b[p] as number;
    if (c === OPEN || c === OPEN_ARRAY) {
      if (depth === stack.length) stack = levels = grown(stack);
      stack[depth++] = close;
      close = c + 2;
      p = skipSpace(b, p + 1);
      c = b[p] as number;
      if (c !== close) {
        if (close === CLOSE) p = skipName(b, p);
        if (p < 0) return -1;
        continue;
      }
    } else {
      p = skipScalar(b, p, c);
      if (p < 0) return -1;
    }
    // A value has ended. The object or array around it may end too.
    for (;;) {
      if (depth === 0) return p;
      p = skipSpace(b, p);
      c = b[p++] as number;
      if (c !== close) break;
      close = stack[--depth] as number;
    }
    if (c !== COMMA) return fail(p - 1);
    p = skipSpace(b, p);
    if (close === CLOSE) p = skipName(b, p);
    if (p < 0) return -1;
  }
}

function grown(array: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(2 * array.length);
  larger.set(array);
  return larger;
}

/** Also false for undefined, which a read past the end of the buffer gives. */
export function isDigit(c: number): boolean {
  return c >= ZERO && c <= 0x39;
}
