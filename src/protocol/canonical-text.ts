// The text of a reading in the one form that records have (docs/protocol.md, "Kafka record"): every string has one
// spelling, so two names are equal exactly if their bytes are. It checks nothing: the text has to be valid JSON.
import { BACKSLASH, LETTER_U, QUOTE, skipString } from './json-scan.ts';

const HEX_DIGITS = Buffer.from('0123456789abcdef');
/** The letter after the backslash for characters that have a short escape, else 0. */
const SHORT_ESCAPE = new Uint8Array(128);
for (const [character, letter] of ['""', '\\\\', '\bb', '\tt', '\nn', '\ff', '\rr'])
  SHORT_ESCAPE[character?.charCodeAt(0) ?? 0] = letter?.charCodeAt(0) ?? 0;

export class CanonicalText {
  bytes: Buffer<ArrayBuffer> = Buffer.alloc(0);
  length = 0;
  /** True if the last string was written with escapes. */
  wasEscaped = false;

  /** Makes room and empties the text. */
  begin(maxBytes: number): void {
    if (this.bytes.length < maxBytes) this.bytes = Buffer.allocUnsafeSlow(2 * maxBytes);
    this.length = 0;
  }

  push(byte: number): void {
    this.bytes[this.length++] = byte;
  }

  /** Appends bytes as they are. */
  copy(b: Uint8Array, from: number, to: number): void {
    const { bytes } = this;
    let at = this.length;
    for (let p = from; p < to; p++) bytes[at++] = b[p] as number;
    this.length = at;
  }

  /** Appends the string that begins at b[from] with its quote. Returns the position after it. */
  string(b: Uint8Array, from: number): number {
    const { bytes } = this;
    let at = this.length;
    let p = from;
    let c = b[p] as number;
    do {
      bytes[at++] = c;
      c = b[++p] as number;
    } while (c !== QUOTE && c !== BACKSLASH);
    this.length = at;
    this.wasEscaped = c === BACKSLASH;
    if (this.wasEscaped) {
      this.length = writeString(b, p, bytes, at);
      p = skipString(b, p - 1) - 1;
    }
    this.push(QUOTE);
    return p + 1;
  }

  toString(): string {
    return this.bytes.toString('utf8', 0, this.length);
  }
}

/**
 * Writes a string from one of its characters to its last, without the closing quote. `target` may be `b`, because no text
 * gets longer. Returns the position after the last byte.
 */
export function writeString(b: Uint8Array, from: number, target: Uint8Array, at: number): number {
  let to = at;
  let p = from;
  for (let c = b[p++] as number; c !== QUOTE; c = b[p++] as number) {
    if (c !== BACKSLASH) {
      target[to++] = c;
      continue;
    }
    c = b[p++] as number;
    if (c !== LETTER_U) {
      // Of these escapes only `\/` is not needed.
      if (c !== 0x2f) target[to++] = BACKSLASH;
      target[to++] = c;
      continue;
    }
    let code = hex(b, p);
    p += 4;
    if (code >> 10 === HIGH && b[p] === BACKSLASH && b[p + 1] === LETTER_U) {
      const low = hex(b, p + 2);
      if (low >> 10 === LOW) {
        code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
        p += 6;
      }
    }
    to = write(code, target, to);
  }
  return to;
}

/** The upper bits of the halves of a surrogate pair. */
const HIGH = 0xd800 >> 10;
const LOW = 0xdc00 >> 10;

function write(code: number, target: Uint8Array, at: number): number {
  let to = at;
  const letter = code < 0x80 ? (SHORT_ESCAPE[code] as number) : 0;
  const isHalf = code >> 11 === 0xd800 >> 11;
  if (letter > 0) {
    target[to++] = BACKSLASH;
    target[to++] = letter;
  } else if (code < 0x20 || isHalf) {
    target[to++] = BACKSLASH;
    target[to++] = LETTER_U;
    for (let shift = 12; shift >= 0; shift -= 4) target[to++] = HEX_DIGITS[(code >> shift) & 15] as number;
  } else if (code < 0x80) {
    target[to++] = code;
  } else {
    // UTF-8: six bits a byte, and the first byte tells how many follow.
    const isLong = code >= 0x10000;
    if (isLong) target[to++] = 0xf0 | (code >> 18);
    if (code >= 0x800) target[to++] = isLong ? continued(code >> 12) : 0xe0 | (code >> 12);
    target[to++] = code >= 0x800 ? continued(code >> 6) : 0xc0 | (code >> 6);
    target[to++] = continued(code);
  }
  return to;
}

function continued(bits: number): number {
  return 0x80 | (bits & 0x3f);
}

function hex(b: Uint8Array, from: number): number {
  let code = 0;
  for (let p = from; p < from + 4; p++) {
    const c = b[p] as number;
    code = (code << 4) | (c <= 0x39 ? c & 15 : (c & 15) + 9);
  }
  return code;
}
