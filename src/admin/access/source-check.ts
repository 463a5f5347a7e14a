// The source of a request: its Host, its Origin, and the page that a browser says it is from. It knows no token.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';
import type { Refusal, Refusals } from './refusals.ts';

export interface SourceOptions {
  /** HTTP_HOST. */
  readonly host: string;
  /** HTTP_ALLOWED_HOSTS, in lower case. */
  readonly allowedHosts: readonly string[];
}

/** The start of a request target in absolute form, with its host (RFC 9112, 3.2.2). Clients of HTTP proxies send it. */
export const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)/i;

export class SourceCheck {
  readonly #refusals: Refusals;
  readonly #names: ReadonlySet<string>;

  constructor({ host, allowedHosts }: SourceOptions, refusals: Refusals) {
    this.#refusals = refusals;
    // An operator who binds to a name means that name.
    this.#names = new Set(['localhost', host.toLowerCase(), ...allowedHosts].map(withoutDot));
  }

  /**
   * Against DNS rebinding: a web page can point its own name at our address and read the answers, but its requests carry
   * that name in Host. Against forged requests: other pages are named in Origin.
   * @param changes whether the request would change something
   */
  check(request: IncomingMessage, changes: boolean): Refusal | undefined {
    const { headers, headersDistinct, socket, url = '' } = request;
    const hosts = headersDistinct.host ?? [];
    const [, ofTarget] = ABSOLUTE_FORM.exec(url) ?? [];
    // A browser always sends one Host. Only HTTP/1.0 may leave it out, as health checks of balancers do.
    const isServed =
      hosts.length < 2 && [ofTarget, ...hosts].every((one) => one === undefined || this.#isServed(one));
    const { remoteAddress } = socket;
    if (!isServed) {
      const target = ofTarget && cut(ofTarget);
      this.#refusals.lines.write('admin_host_refused', {
        host: cut(hosts.join(', ')),
        target,
        remoteAddress,
      });
      return this.#refusals.refuse(403, 'host');
    }
    const isOther =
      headers.origin === undefined ? isFromOtherPage(headers) : !this.#isServedOrigin(headers, changes);
    return isOther ? this.refuseOrigin(request) : undefined;
  }

  /** Names the host and port that the page in Origin has to have too. A request without Origin is not of a page. */
  isSameOrigin({ headers }: IncomingMessage): boolean {
    return headers.origin !== undefined && this.#isServedOrigin(headers, true);
  }

  refuseOrigin({ headers, socket: { remoteAddress } }: IncomingMessage): Refusal {
    const origin = headers.origin === undefined ? 'none' : cut(headers.origin);
    this.#refusals.lines.write('admin_origin_refused', { origin, remoteAddress });
    return this.#refusals.refuse(403, 'origin');
  }

  #isServed(authority: string): boolean {
    const [, v6, name = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::\d*)?$/.exec(authority.toLowerCase()) ?? [];
    if (v6 !== undefined) return isIPv6(v6);
    return isIPv4(name) || this.#names.has(withoutDot(name));
  }

  #isServedOrigin({ origin = '', host }: IncomingHttpHeaders, changes: boolean): boolean {
    const [, scheme = '', authority] = /^(https?):\/\/([^/?#@]+)$/i.exec(origin) ?? [];
    if (authority === undefined || !this.#isServed(authority)) return false;
    const port = scheme.toLowerCase() === 'https' ? ':443' : ':80';
    return !changes || withoutPort(authority, port) === withoutPort(host ?? '', port);
  }
}

/**
 * A page of another site can load our paths as images or frames, without an Origin, and so hold streams open. A link that
 * somebody follows is no such load. Browsers say this only to localhost and over TLS.
 */
function isFromOtherPage(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'] ?? 'none';
  const isFollowed = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  return site !== 'none' && site !== 'same-origin' && !isFollowed;
}

/** For the log, which makes characters harmless itself. */
function cut(text: string): string {
  return text.slice(0, 100);
}

/** A name may end with a dot, in a setting as in a Host. */
function withoutDot(name: string): string {
  return name.replace(/\.$/, '');
}

function withoutPort(authority: string, port: string): string {
  const text = authority.toLowerCase();
  return text.endsWith(port) ? text.slice(0, -port.length) : text;
}
