// Walks over the members of one JSON object in bytes. It checks nothing: the object has to be valid JSON. Names are the
// bytes between their quotes, with the escapes that they were written with.
import { BACKSLASH, CLOSE, CLOSE_ARRAY, COMMA, OPEN, OPEN_ARRAY, QUOTE, skipSpace } from './json-scan.ts';

/** Holds the member that next() found, so that a reading costs no allocation. */
export class MemberWalk {
  nameStart = 0;
  nameEnd = 0;
  /** The value is bytes[start, end). */
  start = 0;
  end = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** @param from the position of the opening brace */
  begin(bytes: Uint8Array, from: number): void {
    this.#bytes = bytes;
    this.#at = from + 1;
  }

  /** False after the last member. */
  next(): boolean {
    const b = this.#bytes;
    let p = skipSpace(b, this.#at);
    if (b[p] === COMMA) p = skipSpace(b, p + 1);
    if (b[p] !== QUOTE) return false;
    this.nameStart = p + 1;
    this.nameEnd = stringEnd(b, p);
    // After the colon, which may have space on both sides.
    p = skipSpace(b, skipSpace(b, this.nameEnd + 1) + 1);
    this.start = p;
    this.end = valueEnd(b, p);
    this.#at = this.end;
    return true;
  }
}

/** The position of the quote that closes the string at b[from]. */
function stringEnd(b: Uint8Array, from: number): number {
  let p = from + 1;
  for (let c = b[p]; c !== QUOTE; c = b[p]) p += c === BACKSLASH ? 2 : 1;
  return p;
}

/** The position after the value at b[from]. */
export function valueEnd(b: Uint8Array, from: number): number {
  const first = b[from] as number;
  if (first === QUOTE) return stringEnd(b, from) + 1;
  let p = from;
  if (first !== OPEN && first !== OPEN_ARRAY) {
    for (let c = first; c > 0x20 && c !== COMMA && c !== CLOSE && c !== CLOSE_ARRAY; c = b[p] as number) p++;
    return p;
  }
  let depth = 0;
  do {
    const c = b[p];
    if (c === OPEN || c === OPEN_ARRAY) depth++;
    else if (c === CLOSE || c === CLOSE_ARRAY) depth--;
    else if (c === QUOTE) p = stringEnd(b, p);
    p++;
  } while (depth > 0);
  return p;
}
