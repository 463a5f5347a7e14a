// Hides tokens in a line before people see it. A line that is refused may be broken in any way, so in doubt it hides too
// much: the rest of the line.
import { CLOSE, CLOSE_ARRAY, COMMA, skipSpace, skipValue } from './json-scan.ts';

/** The start of tokens that `sluice token add` makes, so that they can be recognised anywhere. */
export const TOKEN_PREFIX = 'sluice_';
const HIDDEN = '[token hidden]';
const OWN = /sluice_[\w-]{8,}/g;
const WHOLE = /sluice_[\w-]{43}/;

/** Each part perhaps behind zero bytes: a device that sends UTF-16 is refused, and people can read its line all the same. */
const apart = (...parts: string[]) => parts.join('\\0*');

/** The word `token` in any case and with any of its letters escaped, or a token that we made. */
const SUSPECT = new RegExp(
  `${apart(
    '(?:[tT]|\\\\u00[57]4)',
    '(?:[oO]|\\\\u00[46][fF])',
    '(?:[kK]|\\\\u00[46][bB])',
    '(?:[eE]|\\\\u00[46]5)',
    '(?:[nN]|\\\\u00[46][eE])',
  )}|${apart(...TOKEN_PREFIX)}(?:\\0*[\\w-]){8,}`,
  'g',
);
/** So many tokens are hidden one by one. Behind them the rest is hidden, so that the line gets only a little longer. */
const MAX_HIDDEN = 16;
/** From inside a key to its value. */
const REST_OF_KEY = /(?:[^"\\',:[\]{}]|\\.)*"[ \t\r]*:[ \t\r]*/y;

/** Whether the text has a whole token that we made. */
export function hasOwnToken(text: string): boolean {
  return WHOLE.test(text);
}

/** The text without tokens that we made: somebody may take a token for a name. */
export function hideOwnTokens(text: string): string {
  return text.replace(OWN, HIDDEN);
}

/** Whether something may have been hidden in the line, so that it is another one than the device sent. */
export function hasHiddenToken(line: Uint8Array): boolean {
  return Buffer.from(line.buffer, line.byteOffset, line.length).includes(HIDDEN);
}

/** The line without the values of keys with `token` in their name, and without tokens that we made. */
export function hideTokens(line: Uint8Array): Uint8Array {
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1');
  SUSPECT.lastIndex = 0;
  if (!SUSPECT.test(text)) return line;
  // json-scan.ts needs an LF behind the text.
  const bytes = Buffer.from(`${text}\n`, 'latin1');
  let shown = '';
  let from = 0;
  SUSPECT.lastIndex = 0;
  for (let left = MAX_HIDDEN; left > 0; left--) {
    const found = SUSPECT.exec(text);
    if (found === null) break;
    const { start, end } =
      found[0][0] === TOKEN_PREFIX[0]
        ? { start: found.index, end: SUSPECT.lastIndex }
        : valueOfKey(bytes, text, SUSPECT.lastIndex);
    shown += text.slice(from, start) + (start < end && text[start] === '"' ? `"${HIDDEN}"` : HIDDEN);
    from = left === 1 ? text.length : end;
    SUSPECT.lastIndex = from;
  }
  return Buffer.from(shown + text.slice(from), 'latin1');
}

/** @param inKey a position inside the key */
function valueOfKey(bytes: Uint8Array, text: string, inKey: number): { start: number; end: number } {
  REST_OF_KEY.lastIndex = inKey;
  const start = REST_OF_KEY.test(text) ? REST_OF_KEY.lastIndex : inKey;
  const end = start === inKey ? -1 : skipValue(bytes, start);
  const next = bytes[skipSpace(bytes, end)];
  const isWhole = end >= 0 && (next === COMMA || next === CLOSE || next === CLOSE_ARRAY);
  return { start, end: isWhole ? end : text.length };
}
