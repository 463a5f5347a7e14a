// The format of TCP_TOKENS_FILE, a token on each line:
//   sha256:<64 hex digits>  <device ids>  <name>
// The hash is that of the token's UTF-8 bytes. The ids are divided by commas, and `*` in an id stands for any characters.
// The name is the rest of the line. Empty lines and lines that begin with # mean nothing.

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { EXIT_SETTINGS } from '../config/exit-codes.ts';
import { printable } from '../config/printable.ts';

export interface TokenEntry {
  /** SHA-256 of the token, 64 hex digits in lower case. */
  readonly hash: string;
  /** Device ids, or patterns with `*`. At least one. */
  readonly ids: readonly string[];
  readonly name: string;
}

/** The file has lines that are no tokens. The message names the lines and never quotes them: a token may stand there. */
export class TokenFileError extends Error {
  readonly code = 'TOKENS_INVALID';
  readonly exitCode = EXIT_SETTINGS;
}

/** A name in words, for refusals. */
export const NAME_FORM = '1-64 printable characters, not # or , first, and no space first or last';
export const IDS_FORM = 'device ids of 1-64 of A-Z a-z 0-9 . _ : - and *, divided by commas without spaces';

const LINE = /^(\S+)[ \t]+(\S+)[ \t]+(\S.*)$/;
const HASH = /^sha256:([0-9a-f]{64})$/i;
const IDS = /^[A-Za-z0-9._:*-]{1,64}(?:,[A-Za-z0-9._:*-]{1,64})*$/;
const USUAL_NAME = /^[!"$-+\--~](?:[ -~]{0,62}[!-~])?$/;
const USUAL_LINE = new RegExp(
  `^sha256:([0-9a-f]{64})[ \\t]+(${IDS.source.slice(1, -1)})[ \\t]+(${USUAL_NAME.source.slice(1, -1)})\\r?$`,
);
const MAX_PROBLEMS = 5;
/** Another file by mistake may have millions of lines, and nobody wants to know how many of them are wrong. */
const MAX_COUNTED = 1000;

export function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export function isName(text: string): boolean {
  return USUAL_NAME.test(text) || isUnusualName(text);
}

function isUnusualName(text: string): boolean {
  return /^[^\s#,]/.test(text) && /\S$/.test(text) && [...text].length <= 64 && printable(text) === text;
}

/** The ids of a list. Undefined if it is not allowed. */
export function parseIds(text: string): string[] | undefined {
  return IDS.test(text) ? text.split(',') : undefined;
}

/**
 * The entries by their hash.
 * @throws TokenFileError if a line is not allowed, or a hash or a name is there twice
 */
export function parseTokens(content: Buffer): Map<string, TokenEntry> {
  if (!isUtf8(content)) throw new TokenFileError('it is not UTF-8');
  const entries = new Map<string, TokenEntry>();
  const names = new Set<string>();
  const problems: string[] = [];
  const text = content.toString();
  for (let at = 0, number = 1; at < text.length && problems.length < MAX_COUNTED; number++) {
    const lf = text.indexOf('\n', at);
    const end = lf < 0 ? text.length : lf;
    const entry = entryOf(text.slice(at, end));
    at = end + 1;
    if (entry === undefined) continue;
    if (typeof entry === 'string') problems.push(`line ${number}: ${entry}`);
    else if (entries.has(entry.hash)) problems.push(`line ${number}: an earlier line has the same hash`);
    else if (names.has(entry.name)) problems.push(`line ${number}: an earlier line has the same name`);
    else {
      entries.set(entry.hash, entry);
      names.add(entry.name);
    }
  }
  if (problems.length > 0) throw new TokenFileError(textOfProblems(problems));
  return entries;
}

/** Undefined for a line that means nothing, a text for a problem. */
function entryOf(line: string): TokenEntry | string | undefined {
  // There may be 100,000 lines, and no device is served meanwhile: one expression for usual lines halves the time.
  const [, hash, ids = '', name = ''] = USUAL_LINE.exec(line) ?? [];
  if (hash !== undefined) return { hash, ids: ids.split(','), name };
  // Otherwise a comment in the first line would hide all tokens of a file from an old editor.
  if (/\r./.test(line)) return 'a CR without an LF ends no line';
  const text = textOf(line);
  return text === '' ? undefined : parseLine(text);
}

/** The lines without those of these names. Comments and all other lines stay as they are. */
export function withoutNames(content: string, names: ReadonlySet<string>): string {
  const lines = content.split('\n').filter((line) => {
    const entry = parseLine(textOf(line));
    return typeof entry === 'string' || !names.has(entry.name);
  });
  return lines.join('\n');
}

export function formatEntry({ hash, ids, name }: TokenEntry): string {
  return `sha256:${hash}  ${ids.join(',')}  ${name}\n`;
}

/** Empty for a line that means nothing. */
function textOf(line: string): string {
  const text = line.trim();
  return text.startsWith('#') ? '' : text;
}

/** The entry, or the problem. */
function parseLine(text: string): TokenEntry | string {
  const [, hashText = '', idsText = '', name = ''] = LINE.exec(text) ?? [];
  if (hashText === '') return 'hash, device ids and name are needed, with spaces between them';
  const hash = HASH.exec(hashText)?.[1]?.toLowerCase();
  if (hash === undefined)
    return 'the hash is not sha256: and 64 hex digits; `sluice token add` writes such a line';
  const ids = parseIds(idsText);
  if (ids === undefined) return `the device ids are not allowed; allowed: ${IDS_FORM}`;
  if (!isName(name)) return `the name is not allowed; allowed: ${NAME_FORM}`;
  return { hash, ids, name };
}

function textOfProblems(problems: readonly string[]): string {
  const more = problems.length - MAX_PROBLEMS;
  const shown = problems.slice(0, MAX_PROBLEMS).join('; ');
  if (problems.length === MAX_COUNTED) return `${shown}; and many more`;
  return more > 0 ? `${shown}; and ${more} more` : shown;
}
