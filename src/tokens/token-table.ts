// Decides whether a token may be used with a device_id. It knows hashes only, and it never changes: a new content of the
// file is a new table.
import { timingSafeEqual } from 'node:crypto';
import { hashOf, parseTokens, type TokenEntry } from './token-file.ts';

/** The token that a connection has used. */
export interface Grant {
  /** SHA-256 of the token in hex. */
  readonly hash: string;
  readonly name: string;
}

export type TokenDenial =
  | { readonly reason: 'missing' | 'unknown' }
  /** The token is known and does not cover the device_id. */
  | { readonly reason: 'device_id'; readonly name: string };

/** Compared with a token that no line has, so that both cases take the same steps. */
const NO_HASH = '0'.repeat(64);

export class TokenTable {
  /** By hash. */
  readonly #known: ReadonlyMap<string, TokenEntry>;

  /** @throws TokenFileError if a line is not allowed */
  static parse(content: Buffer): TokenTable {
    return new TokenTable(parseTokens(content));
  }

  constructor(entries: ReadonlyMap<string, TokenEntry>) {
    this.#known = entries;
  }

  /** @param deviceId undefined is covered by the pattern `*` only */
  check(token: string | undefined, deviceId: string | undefined): Grant | TokenDenial {
    if (token === undefined) return { reason: 'missing' };
    const digest = hashOf(token);
    const hash = digest.toString('hex');
    // The lookup tells an attacker nothing: he cannot choose the hash of his guess.
    const known = this.#known.get(hash);
    const isEqual = timingSafeEqual(Buffer.from(known?.hash ?? NO_HASH, 'hex'), digest);
    if (known === undefined || !isEqual) return { reason: 'unknown' };
    const { name } = known;
    return covers(known, deviceId) ? { hash, name } : { reason: 'device_id', name };
  }

  /** False if the token was revoked, or no longer covers the device_id. */
  stillAllows({ hash }: Grant, deviceId: string | undefined): boolean {
    const known = this.#known.get(hash);
    return known !== undefined && covers(known, deviceId);
  }
}

function covers({ ids }: TokenEntry, deviceId: string | undefined): boolean {
  return ids.some((id) => (deviceId === undefined ? id === '*' : id === deviceId || matches(id, deviceId)));
}

/** Takes time in proportion to the text, however many `*` the pattern has. */
function matches(pattern: string, text: string): boolean {
  const [first = '', ...middle] = pattern.split('*');
  const last = middle.pop();
  if (last === undefined || !text.startsWith(first)) return false;
  let at = first.length;
  for (const part of middle) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
