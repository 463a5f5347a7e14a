// Decides which requests to the admin port are served: their source, then the token or the cookie of a login. It reads
// headers only; http-server.ts sends the refusal.
import type { IncomingMessage } from 'node:http';
import type { Log } from '../../log/log.ts';
import { cookiesIn, LOGIN_SECONDS, type LoginOptions, Logins } from './logins.ts';
import { type Refusal, Refusals } from './refusals.ts';
import { SourceCheck, type SourceOptions } from './source-check.ts';
import { TokenCheck, type TokenOptions } from './token-check.ts';

export interface AccessOptions extends SourceOptions, TokenOptions, LoginOptions {
  readonly log: Log;
}

/** Lets a request through, for as long as isValid() says so. */
export interface Pass {
  isValid(): boolean;
  /** Milliseconds since 1970; absent without a login. */
  readonly endsAtMs?: number;
}

/** For requests that need no token. */
export const OPEN_PASS: Pass = { isValid: () => true };

export class Access {
  readonly #refusals: Refusals;
  readonly #source: SourceCheck;
  readonly #tokens: TokenCheck;
  readonly #logins: Logins;

  constructor(options: AccessOptions) {
    this.#refusals = new Refusals(options.log);
    this.#source = new SourceCheck(options, this.#refusals);
    this.#tokens = new TokenCheck(options, this.#refusals);
    this.#logins = new Logins(options);
  }

  /** Refused requests since the start. */
  get refused(): Refusals['counts'] {
    return this.#refusals.counts;
  }

  /** Whether HTTP_TOKEN is set. */
  get hasToken(): boolean {
    return this.#tokens.isSet;
  }

  /** As SourceCheck.check(). */
  checkSource(request: IncomingMessage, changes: boolean): Refusal | undefined {
    return this.#source.check(request, changes);
  }

  /**
   * For requests that need HTTP_TOKEN: its header, or the cookie of a login. With a header the cookie does not count.
   * @param changes whether the request would change something
   */
  async admit(request: IncomingMessage, changes = false): Promise<Pass | Refusal> {
    const { headers, socket } = request;
    if (!this.#tokens.isSet) return this.#tokens.refuseNotSet(socket.remoteAddress, changes);
    if (headers.authorization === undefined) return this.#admitLogin(request, changes);
    const sent = /^Bearer +(\S+) *$/i.exec(headers.authorization)?.[1];
    const refusal = this.#tokens.check(sent, socket.remoteAddress);
    return refusal ?? { isValid: () => this.#tokens.isToken(sent ?? '') };
  }

  /** Whether admit() has something to look at. */
  hasCredentials({ headers, socket }: IncomingMessage): boolean {
    return headers.authorization !== undefined || cookiesIn(headers, cookieName(socket)).length > 0;
  }

  /** Whether the request has the token or a login, also if it needs none. */
  async isOfOperator(request: IncomingMessage): Promise<boolean> {
    return this.hasCredentials(request) && 'isValid' in (await this.admit(request));
  }

  /** A login with the token of a form: its pass, and the header that sets the cookie. */
  async logIn(
    request: IncomingMessage,
    token: string,
  ): Promise<{ readonly pass: Pass; readonly cookie: string } | Refusal> {
    const { remoteAddress } = request.socket;
    if (!this.#tokens.isSet) return this.#tokens.refuseNotSet(remoteAddress, true);
    const refusal = this.#tokens.check(token, remoteAddress);
    if (refusal !== undefined) return refusal;
    const { value, login } = await this.#logins.begin();
    const pass = { isValid: () => this.#logins.counts(login), endsAtMs: login.endsAtMs };
    return { pass, cookie: cookieHeader(request, value, LOGIN_SECONDS) };
  }

  /** Ends each login of the request. @returns the header that removes the cookie */
  async logOut(request: IncomingMessage): Promise<string> {
    for (const login of await this.#loginsOf(request)) this.#logins.end(login);
    return cookieHeader(request, '', 0);
  }

  /** Logs refusals that are only counted yet. */
  flush(): void {
    this.#refusals.lines.flush();
  }

  async #admitLogin(request: IncomingMessage, changes: boolean): Promise<Pass | Refusal> {
    if (!this.hasCredentials(request)) return this.#tokens.refuseMissing('token_missing');
    // A browser sends the cookie also if a page on another port of this host asks it to.
    if (changes && !this.#source.isSameOrigin(request)) return this.#source.refuseOrigin(request);
    const [login] = await this.#loginsOf(request);
    if (login === undefined) return this.#tokens.refuseMissing('cookie');
    return { isValid: () => this.#logins.counts(login), endsAtMs: login.endsAtMs };
  }

  #loginsOf({ headers, socket }: IncomingMessage) {
    return this.#logins.of(...cookiesIn(headers, cookieName(socket)));
  }
}

/** Cookies belong to a host, whatever its port: two gateways on one machine must not overwrite each other's. */
function cookieName({ localPort }: IncomingMessage['socket']): string {
  return `sluice-${localPort}`;
}

function cookieHeader({ headers, socket }: IncomingMessage, value: string, seconds: number): string {
  // A proxy ends the TLS. Who forges the header only gets a cookie that his browser does not send back.
  const secure = headers['x-forwarded-proto'] === 'https' ? '; Secure' : '';
  const rules = `Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`;
  return `${cookieName(socket)}=${value}; ${rules}`;
}
