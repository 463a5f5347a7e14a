// The start of a device's line as text for people: cut, and without tokens. Its control characters are still in it.
import { hideTokens } from './hidden-tokens.ts';

/** Of a UTF-8 character behind its first byte. */
const MAX_CONTINUATION_BYTES = 3;

/** Cut before tokens are hidden, so that a long line costs no more than a short one. A value that is cut is hidden. */
export function lineSample(
  { bytes, start, end }: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
  maxBytes: number,
): string {
  const line = bytes.subarray(start, end);
  return Buffer.from(hideTokens(line.subarray(0, cutAt(line, maxBytes)))).toString();
}

/** The most bytes up to `maxBytes` that end with a whole character. */
export function cutAt(text: Uint8Array, maxBytes: number): number {
  if (text.length <= maxBytes) return text.length;
  let end = maxBytes;
  while (end > maxBytes - MAX_CONTINUATION_BYTES && isContinuation(text[end])) end--;
  // Bytes that are no UTF-8 are cut anywhere.
  return isContinuation(text[end]) ? maxBytes : Math.max(0, end);
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
