// The start of a device's line as operators see it: cut, without tokens, and harmless to a terminal.
import { printable } from '../config/printable.ts';
import { hideOwnTokens } from '../protocol/hidden-tokens.ts';
import { cutAt, lineSample } from '../protocol/line-sample.ts';
import type { LineBytes } from '../queue/job.ts';

/** At most `maxBytes` bytes, although a hidden token or an escaped character may be longer than the original. */
export function shownLine(line: LineBytes, maxBytes: number): string {
  return cutText(printable(lineSample(line, maxBytes)), maxBytes);
}

/** Of a text that is no token, unless somebody took one for a name. */
export function shownName(text: string): string {
  return printable(hideOwnTokens(text));
}

export function cutText(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  return bytes.length <= maxBytes ? text : bytes.toString('utf8', 0, cutAt(bytes, maxBytes));
}
