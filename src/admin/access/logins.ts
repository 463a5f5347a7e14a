// The cookies of logins: `<end>.<id>.<signature>`. The key of the signature is derived from HTTP_TOKEN, so a login outlives a
// restart and ends with the token. Nothing is kept of a login but the id of one that has logged out.
import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export const LOGIN_SECONDS = 12 * 60 * 60;
/** Logins that have logged out and would still count. Nobody can fill the list without HTTP_TOKEN. */
const MAX_ENDED = 10_000;
/** 10 ms of another thread for each new token: whoever has a cookie must not find a short token by trying them all. */
const DERIVATION = { salt: 'sluice login cookie', bytes: 32, cost: { N: 4096, r: 8, p: 1 } } as const;
const FORM = /^(\d{10,11})\.([\w-]{16})\.([\w-]{43})$/;

export interface Login {
  readonly id: string;
  readonly endsAtMs: number;
  /** HTTP_TOKEN when the cookie was checked. */
  readonly token: string;
}

export interface LoginOptions {
  readonly token: () => string | null;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
}

export class Logins {
  readonly #token: () => string | null;
  readonly #clock: () => number;
  readonly #ended = new Map<string, number>();
  #derived: { readonly token: string; readonly key: Promise<Buffer> } | undefined;

  constructor({ token, clock = Date.now }: LoginOptions) {
    this.#token = token;
    this.#clock = clock;
  }

  /** The value of a new cookie. HTTP_TOKEN has to be set. */
  async begin(): Promise<{ readonly value: string; readonly login: Login }> {
    const token = this.#token() ?? '';
    const seconds = Math.floor(this.#clock() / 1000) + LOGIN_SECONDS;
    const id = randomBytes(12).toString('base64url');
    const signature = await this.#signature(token, `${seconds}.${id}`);
    return { value: `${seconds}.${id}.${signature}`, login: { id, endsAtMs: seconds * 1000, token } };
  }

  /** The logins that these cookies stand for. */
  async of(...values: string[]): Promise<Login[]> {
    const logins = await Promise.all(values.map((value) => this.#ofOne(value)));
    return logins.filter((login) => login !== undefined);
  }

  /** Undefined if it has ended or is not signed by us. */
  async #ofOne(value: string): Promise<Login | undefined> {
    const token = this.#token();
    const [, seconds = '', id = '', sent = ''] = FORM.exec(value) ?? [];
    if (token === null || id === '') return undefined;
    const signature = await this.#signature(token, `${seconds}.${id}`);
    if (!timingSafeEqual(Buffer.from(sent), Buffer.from(signature))) return undefined;
    const login = { id, endsAtMs: Number(seconds) * 1000, token };
    return this.counts(login) ? login : undefined;
  }

  /** Whether a login that was checked still counts. */
  counts({ id, endsAtMs, token }: Login): boolean {
    return endsAtMs > this.#clock() && !this.#ended.has(id) && token === this.#token();
  }

  end({ id, endsAtMs }: Login): void {
    const now = this.#clock();
    for (const [one, at] of this.#ended) if (at <= now) this.#ended.delete(one);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size >= MAX_ENDED && oldest !== undefined) this.#ended.delete(oldest);
    this.#ended.set(id, endsAtMs);
  }

  async #signature(token: string, text: string): Promise<string> {
    if (this.#derived?.token !== token) this.#derived = { token, key: keyOf(token) };
    return createHmac('sha256', await this.#derived.key)
      .update(text)
      .digest('base64url');
  }
}

function keyOf(token: string): Promise<Buffer> {
  const { salt, bytes, cost } = DERIVATION;
  return new Promise((resolve, reject) =>
    scrypt(token, salt, bytes, cost, (error, key) => (error === null ? resolve(key) : reject(error))),
  );
}

/** Each is checked with a signature of its own. */
const MAX_COOKIES = 8;

/**
 * The cookies of this port. Browsers send the cookies of all ports of a host, and a page of another port can set one of our name
 * beside ours, so any of them may be the login.
 */
export function cookiesIn({ cookie = '' }: IncomingHttpHeaders, name: string): string[] {
  const own = `${name}=`;
  return cookie
    .split(';')
    .map((one) => one.trim())
    .filter((one) => one.startsWith(own))
    .slice(0, MAX_COOKIES)
    .map((one) => one.slice(own.length));
}
