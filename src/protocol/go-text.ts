// Makes a line valid UTF-8 as Go's encoding/json does: U+FFFD for each byte that is not UTF-8, and for each escape of half
// a surrogate pair. Nothing else changes.
import { isUtf8 } from 'node:buffer';
import { BACKSLASH, LETTER_U } from './json-scan.ts';
import { characterBytes } from './line-column.ts';

const LF = 0x0a;
const REPLACEMENT = Buffer.from('\ufffd');
const [FIRST = 0, SECOND = 0, THIRD = 0] = REPLACEMENT;
/** Bytes of the escape of one half. */
const HALF_BYTES = 6;

/** The value of a hexadecimal digit, or -1. */
const DIGITS = new Int8Array(256).fill(-1);
for (const digit of '0123456789abcdefABCDEF') DIGITS[digit.charCodeAt(0)] = Number.parseInt(digit, 16);

export class GoText {
  /** The text, followed by an LF. */
  bytes: Buffer<ArrayBuffer> = Buffer.alloc(1024);
  length = 0;
  /** True if something was replaced. */
  hasChanged = false;

  read(line: Uint8Array): void {
    // Each byte may become a U+FFFD.
    const needed = REPLACEMENT.length * line.length + 1;
    if (this.bytes.length < needed) this.bytes = Buffer.allocUnsafeSlow(2 * needed);
    this.hasChanged = false;
    if (isUtf8(line)) {
      // Most lines end here, as a copy.
      const first = line.indexOf(BACKSLASH);
      const unchanged = first < 0 ? line.length : first;
      this.bytes.set(unchanged === line.length ? line : line.subarray(0, unchanged));
      this.#replace(line, unchanged);
    } else this.#replace(line, 0);
    this.bytes[this.length] = LF;
  }

  /** The bytes before `from` are there already. */
  #replace(line: Uint8Array, from: number): void {
    const { bytes } = this;
    const end = line.length;
    let at = from;
    let p = from;
    while (p < end) {
      const c = line[p] as number;
      if (c < 0x80 && c !== BACKSLASH) {
        bytes[at++] = c;
        p++;
        continue;
      }
      const length = c === BACKSLASH ? escapeBytes(line, p) : characterBytes(line, p);
      if (length > 0) {
        for (const last = p + length; p < last; p++) bytes[at++] = line[p] as number;
        continue;
      }
      this.hasChanged = true;
      bytes[at++] = FIRST;
      bytes[at++] = SECOND;
      bytes[at++] = THIRD;
      p += c === BACKSLASH ? HALF_BYTES : 1;
    }
    this.length = at;
  }
}

/** Bytes of the escape at b[p], 0 if it is half of a pair. */
function escapeBytes(b: Uint8Array, p: number): number {
  const first = unit(b, p);
  // Another escape, or none at all: then the line is no JSON.
  if (first < 0) return Math.min(2, b.length - p);
  if (first >> 11 !== 0xd800 >> 11) return HALF_BYTES;
  const second = first >> 10 === 0xd800 >> 10 ? unit(b, p + HALF_BYTES) : -1;
  return second >> 10 === 0xdc00 >> 10 ? 2 * HALF_BYTES : 0;
}

/** The number of the escape `\uXXXX` at b[p], or less than 0. */
function unit(b: Uint8Array, p: number): number {
  if (b[p] !== BACKSLASH || b[p + 1] !== LETTER_U || p + HALF_BYTES > b.length) return -1;
  const [d1, d2] = [DIGITS[b[p + 2] as number] as number, DIGITS[b[p + 3] as number] as number];
  const [d3, d4] = [DIGITS[b[p + 4] as number] as number, DIGITS[b[p + 5] as number] as number];
  return (d1 | d2 | d3 | d4) < 0 ? -1 : (d1 << 12) | (d2 << 8) | (d3 << 4) | d4;
}
