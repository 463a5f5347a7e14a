// Fits text into columns of a terminal: by the width that it takes there, in which a Chinese character counts two and an
// accent none. Texts of devices are made harmless first.
import stringWidth from 'string-width';
import { printable } from '../../config/printable.ts';

const graphemes = new Intl.Segmenter();
/** A character may have any number of accents, which would cover the lines around it. */
const MAX_GRAPHEME = 8;

/** Harmless, and at most `width` columns wide. */
export function cut(text: string, width: number): string {
  // No need to look further than this: no character takes less than nothing, and few more than their share.
  const safe = printable(text.slice(0, 16 * (width + 1)));
  if (safe.length <= width && isAscii(safe)) return safe;
  let used = 0;
  let fitting = '';
  for (const { segment } of graphemes.segment(safe)) {
    const one = segment.length > MAX_GRAPHEME ? '\ufffd' : segment;
    const columns = stringWidth(one);
    if (used + columns > width) return `${fit(fitting, width - 1)}…`;
    used += columns;
    fitting += one;
  }
  return fitting;
}

/** Harmless, and exactly `width` columns wide. */
export function cell(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const fitting = cut(text, width);
  const padding = ' '.repeat(Math.max(0, width - stringWidth(fitting)));
  return align === 'left' ? fitting + padding : padding + fitting;
}

/** Of harmless text as much as fits. */
function fit(text: string, width: number): string {
  let used = 0;
  let fitting = '';
  for (const { segment } of graphemes.segment(text)) {
    used += stringWidth(segment);
    if (used > width) break;
    fitting += segment;
  }
  return fitting;
}

function isAscii(text: string): boolean {
  return /^[ -~]*$/.test(text);
}
