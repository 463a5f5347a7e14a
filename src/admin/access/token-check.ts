// Compares tokens with HTTP_TOKEN, in constant time, and limits how many wrong ones an address may send.
import { createHash, timingSafeEqual } from 'node:crypto';
import { addressKey } from '../../server/address.ts';
import { KeyRates } from '../../server/key-rates.ts';
import type { Refusal, Refusals } from './refusals.ts';

export interface TokenOptions {
  /** HTTP_TOKEN at present, null if it is not set. */
  readonly token: () => string | null;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** Wrong tokens from one address: ten at once, then ten a minute. */
export const WRONG_TOKENS = { burst: 10, intervalMs: 6_000 } as const;

const CHALLENGE = { 'WWW-Authenticate': 'Bearer realm="sluice"' } as const;
/** Binding the port to loopback would not help. */
const CHANGE_NEEDS_TOKEN =
  'HTTP_TOKEN is not set, and requests that change something need it, on loopback too; set it and send it as Authorization: Bearer TOKEN';

export class TokenCheck {
  readonly #token: () => string | null;
  readonly #refusals: Refusals;
  readonly #wrongTokens: KeyRates;

  constructor({ token, now }: TokenOptions, refusals: Refusals) {
    this.#token = token;
    this.#refusals = refusals;
    this.#wrongTokens = new KeyRates({ ...WRONG_TOKENS, ...(now && { now }) });
  }

  get isSet(): boolean {
    return this.#token() !== null;
  }

  /** @param changes whether the request would change something */
  refuseNotSet(remoteAddress: string | undefined, changes: boolean): Refusal {
    const refusal = this.#refusals.refuseToken(403, 'token_not_set', { remoteAddress });
    return changes ? { ...refusal, body: CHANGE_NEEDS_TOKEN } : refusal;
  }

  refuseMissing(reason: 'token_missing' | 'cookie'): Refusal {
    return this.#refusals.refuse(401, reason, CHALLENGE);
  }

  /** The token has to be set. @param sent undefined if the header or body has none */
  check(sent: string | undefined, remoteAddress: string | undefined): Refusal | undefined {
    if (sent === undefined) return this.refuseMissing('token_missing');
    const key = addressKey(remoteAddress ?? '');
    const waitMs = this.#wrongTokens.waitMs(key);
    // The right token waits too. Otherwise guessing would go on at full speed.
    if (waitMs > 0) {
      const headers = { 'Retry-After': String(Math.ceil(waitMs / 1000)) };
      return this.#refusals.refuseToken(429, 'token_rate', { remoteAddress, headers });
    }
    if (this.isToken(sent)) return undefined;
    this.#wrongTokens.take(key, Number.POSITIVE_INFINITY);
    return this.#refusals.refuseToken(401, 'token_wrong', { remoteAddress, headers: CHALLENGE });
  }

  /** In constant time: the digests have one length, so the comparison tells nothing about the token's. */
  isToken(sent: string): boolean {
    const token = this.#token();
    return token !== null && timingSafeEqual(sha256(sent), sha256(token));
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
