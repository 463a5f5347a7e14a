// Recognises a time of RFC 3339 in bytes, with a real calendar. Strict in the points in which readers differ: T and Z are
// capitals, and there is no second 60.
import { isDigit, MINUS } from './json-scan.ts';

const COLON = 0x3a;
const DOT = 0x2e;
const PLUS = 0x2b;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;
const ZERO = 0x30;
/** `2026-11-21T08:00:00` */
const SECONDS_LENGTH = 19;
/** `+01:00` */
const OFFSET_LENGTH = 6;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** True if b[from, to) is a time such as `2026-11-21T08:00:00Z` or `2026-11-21T08:00:00.25+01:00`. */
export function isRfc3339(b: Uint8Array, from: number, to: number): boolean {
  if (to - from <= SECONDS_LENGTH) return false;
  const year = 100 * two(b, from) + two(b, from + 2);
  const isDate =
    b[from + 4] === MINUS &&
    b[from + 7] === MINUS &&
    b[from + 10] === LETTER_T &&
    isDay(year, two(b, from + 5), two(b, from + 8));
  const isTime =
    b[from + 13] === COLON &&
    b[from + 16] === COLON &&
    two(b, from + 11) < 24 &&
    two(b, from + 14) < 60 &&
    two(b, from + 17) < 60;
  if (!isDate || !isTime) return false;
  let p = from + SECONDS_LENGTH;
  if (b[p] === DOT) {
    const digits = ++p;
    while (p < to && isDigit(b[p] as number)) p++;
    if (p === digits) return false;
  }
  if (b[p] === LETTER_Z) return p + 1 === to;
  return (
    p + OFFSET_LENGTH === to &&
    (b[p] === PLUS || b[p] === MINUS) &&
    b[p + 3] === COLON &&
    two(b, p + 1) < 24 &&
    two(b, p + 4) < 60
  );
}

/** The number of two digits, NaN if they are none. */
function two(b: Uint8Array, at: number): number {
  const [tens, ones] = [b[at] as number, b[at + 1] as number];
  return isDigit(tens) && isDigit(ones) ? 10 * (tens - ZERO) + (ones - ZERO) : Number.NaN;
}

function isDay(year: number, month: number, day: number): boolean {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && isLeap ? 29 : (MONTH_DAYS[month - 1] ?? 0);
  return year >= 0 && day >= 1 && day <= days;
}
