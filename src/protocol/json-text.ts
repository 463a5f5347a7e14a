// Splits JSON text into its parts as they were written: numbers keep their digits and a duplicate key stays. It never
// decides whether text is JSON: JSON.parse must have accepted it.

export interface Member {
  readonly key: string;
  /** The value's text, without white space around it. */
  readonly raw: string;
}

/** The members of a valid JSON object's text, in order, with duplicates. */
export function members(text: string): Member[] {
  const found: Member[] = [];
  let at = skipSpace(text, skipSpace(text, 0) + 1);
  while (text[at] !== '}') {
    const keyEnd = skipString(text, at);
    const key = decodeString(text.slice(at, keyEnd));
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = skipValue(text, start);
    found.push({ key, raw: text.slice(start, end) });
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return found;
}

/** The elements of a valid JSON array's text, in order. */
export function elements(text: string): string[] {
  const found: string[] = [];
  let at = skipSpace(text, skipSpace(text, 0) + 1);
  while (text[at] !== ']') {
    const end = skipValue(text, at);
    found.push(text.slice(at, end));
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return found;
}

/** The first key that appears twice, with its escapes resolved. Undefined if all differ. */
export function duplicateKey(list: readonly Member[]): string | undefined {
  const seen = new Set<string>();
  for (const { key } of list) {
    if (seen.has(key)) return key;
    seen.add(key);
  }
  return undefined;
}

/** The value of a JSON string. @param raw with its quotes */
export function decodeString(raw: string): string {
  return raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) <= 0x20) at++;
  return at;
}

function skipString(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

// Counts the depth instead of recursing: a line has room for 30,000 nested arrays, which would overflow the stack.
function skipValue(text: string, from: number): number {
  let at = from;
  let depth = 0;
  do {
    const c = text[at];
    if (c === '"') {
      at = skipString(text, at);
    } else if (c === '{' || c === '[') {
      depth++;
      at++;
    } else if (c === '}' || c === ']') {
      depth--;
      at++;
    } else if (depth > 0) {
      at++;
    } else {
      while (isScalarPart(text.charCodeAt(at))) at++;
    }
  } while (depth > 0);
  return at;
}

function isScalarPart(code: number): boolean {
  return code > 0x20 && code !== 0x2c && code !== 0x5d && code !== 0x7d;
}
