// Decodes the `tags` of identify into the canonical text that each record carries, with the values that may be a key.
// An identify line has at most 8 KiB, so it may decode text by text. Numbers stay as the device wrote them.
import {
  CLOSE,
  isDigit,
  MINUS,
  OPEN,
  QUOTE,
  skipColon,
  skipSpace,
  skipString,
  skipValue,
} from './json-scan.ts';

export const TAG_LIMITS = {
  tags: 16,
  /** Characters of a name. */
  nameLength: 64,
  /** Characters of a string. */
  textLength: 256,
  /** Characters of a number as written. */
  numberLength: 64,
  /** Bytes of the canonical JSON of all tags. */
  bytes: 2048,
} as const;

export interface Tags {
  /** Canonical JSON. */
  readonly text: string;
  /** By name: the text of a string, the digits of a number, `true` or `false`. A tag that is null or empty is left out. */
  readonly values: ReadonlyMap<string, string>;
}

export type DecodedTags =
  | { readonly ok: true; readonly tags: Tags }
  | { readonly ok: false; readonly problem: string };

const SHAPE = `field 'tags': an object of up to ${TAG_LIMITS.tags} names, at most ${TAG_LIMITS.bytes} bytes`;
const BAD_NAME = `: names have 1-${TAG_LIMITS.nameLength} characters, no control characters`;
const BAD_VALUE = `: a string of up to ${TAG_LIMITS.textLength} characters, a number of up to ${TAG_LIMITS.numberLength}, a boolean or null`;
const CONTROL = /\p{Cc}/u;

/** Decodes the value at b[from], which has to be valid JSON. */
export function decodeTags(b: Buffer, from: number): DecodedTags {
  if (b[from] !== OPEN) return { ok: false, problem: SHAPE };
  const members: string[] = [];
  const values = new Map<string, string>();
  const names = new Set<string>();
  let p = skipSpace(b, from + 1);
  while (b[p] !== CLOSE) {
    if (members.length === TAG_LIMITS.tags) return { ok: false, problem: SHAPE };
    const nameEnd = skipString(b, p);
    const name = JSON.parse(b.toString('utf8', p, nameEnd)) as string;
    if (!isTagName(name)) return refuse(name, BAD_NAME);
    if (names.has(name)) return refuse(name, ' appears twice');
    names.add(name);
    const start = skipColon(b, nameEnd);
    const end = skipValue(b, start);
    const tag = scalar(b.toString('utf8', start, end), b[start] as number);
    if (tag === undefined) return refuse(name, BAD_VALUE);
    members.push(`${JSON.stringify(name)}:${tag.json}`);
    if (tag.value !== '') values.set(name, tag.value);
    p = skipSpace(b, end);
    // A comma, as the text is valid.
    if (b[p] !== CLOSE) p = skipSpace(b, p + 1);
  }
  const text = `{${members.join()}}`;
  if (Buffer.byteLength(text) > TAG_LIMITS.bytes) return { ok: false, problem: SHAPE };
  return { ok: true, tags: { text, values } };
}

export function isTagName(name: string): boolean {
  return name !== '' && isAtMost(name, TAG_LIMITS.nameLength) && name.isWellFormed() && !CONTROL.test(name);
}

/** Undefined if a tag may not have the value. */
function scalar(raw: string, first: number): { readonly json: string; readonly value: string } | undefined {
  if (first === QUOTE) {
    const text = JSON.parse(raw) as string;
    if (!isAtMost(text, TAG_LIMITS.textLength) || !text.isWellFormed()) return undefined;
    return { json: JSON.stringify(text), value: text };
  }
  if (isDigit(first) || first === MINUS)
    return raw.length <= TAG_LIMITS.numberLength ? { json: raw, value: raw } : undefined;
  if (raw === 'null') return { json: raw, value: '' };
  return raw === 'true' || raw === 'false' ? { json: raw, value: raw } : undefined;
}

/** Characters are code points. */
function isAtMost(text: string, characters: number): boolean {
  return text.length <= characters || (text.length <= 2 * characters && [...text].length <= characters);
}

function refuse(name: string, problem: string): DecodedTags {
  const shown = name.length > TAG_LIMITS.nameLength ? `${name.slice(0, TAG_LIMITS.nameLength - 3)}...` : name;
  return { ok: false, problem: `field '${shown.toWellFormed()}' of 'tags'${problem}` };
}
