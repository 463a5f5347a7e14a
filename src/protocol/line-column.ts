// Tells a device the place of a fault in its line, as a column: characters from the start of the line, counted from 1. Only
// refused lines are looked at, each once.
import { isAscii } from 'node:buffer';

/** The column of the character that begins at line[position]. @param line UTF-8 up to that position */
export function columnAt(line: Uint8Array, position: number): number {
  if (isAscii(line.subarray(0, position))) return position + 1;
  let column = 1;
  for (let p = 0; p < position; p++) if (((line[p] as number) & 0xc0) !== 0x80) column++;
  return column;
}

/** The position of the first byte that begins no character of UTF-8 (RFC 3629). The length if the line is UTF-8. */
export function invalidUtf8At(line: Uint8Array): number {
  let p = 0;
  while (p < line.length) {
    const bytes = characterBytes(line, p);
    if (bytes === 0) return p;
    p += bytes;
  }
  return p;
}

/** Bytes of the character at line[p], 0 if there is none. */
export function characterBytes(line: Uint8Array, p: number): number {
  const first = line[p] as number;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const bytes = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const second = line[p + 1] ?? 0;
  // The second byte excludes overlong forms, halves of surrogate pairs, and all beyond U+10FFFF.
  const min = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const max = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < min || second > max) return 0;
  for (let i = p + 2; i < p + bytes; i++) if (((line[i] ?? 0) & 0xc0) !== 0x80) return 0;
  return bytes;
}
