// Why a request to the admin port of a gateway did not succeed, in words with a remedy, and as an exit code for scripts. Texts of
// the other side are made harmless: it may be anything.
import { EXIT_BUSY, EXIT_NO_ACCESS, EXIT_NOT_SLUICE, EXIT_UNREACHABLE } from '../../config/exit-codes.ts';
import { printable } from '../../config/printable.ts';

/** The message is for people. */
export class RemoteError extends Error {
  readonly code = 'REMOTE_FAILED';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

const MAX_SHOWN = 300;

/** Text of the other side, as one line of bounded length. */
export function shown(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  return printable(line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}...` : line);
}

const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: is the gateway running, and is this its HTTP_PORT?',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name cannot be looked up at present',
  EHOSTUNREACH: 'there is no way to this host',
  ENETUNREACH: 'there is no way to this network',
  ECONNRESET: 'the connection was cut: is this the port of devices, or one that wants https?',
  EPROTO: 'that is not https: try http://',
  ERR_SSL_WRONG_VERSION_NUMBER: 'that is not https: try http://',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is not trusted; NODE_EXTRA_CA_CERTS names the file of its CA',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is not trusted; NODE_EXTRA_CA_CERTS names the file of its CA',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the certificate is not trusted; NODE_EXTRA_CA_CERTS names the file of its CA',
  CERT_HAS_EXPIRED: 'the certificate has expired',
};

/** No answer came. */
export function unreachable(origin: string, error: unknown): RemoteError {
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  // Not an HTTP server, such as the port of devices.
  if (code.startsWith('HPE_')) return notSluice(origin, 'the answer is no HTTP');
  return new RemoteError(`no answer from ${origin} (${code})${advice(code)}`, EXIT_UNREACHABLE);
}

function advice(code: string): string {
  const known = ADVICE[code];
  return known === undefined ? '' : `: ${known}`;
}

export function tooLate(origin: string, seconds: number): RemoteError {
  return new RemoteError(`${origin} has not answered within ${seconds} s`, EXIT_UNREACHABLE);
}

export function notSluice(origin: string, reason: string): RemoteError {
  return new RemoteError(`${origin} does not answer as a Sluice does: ${reason}`, EXIT_NOT_SLUICE);
}

export interface Refused {
  readonly origin: string;
  readonly path: string;
  readonly status: number;
  readonly text: string;
  readonly sentToken: boolean;
}

/** The answer is no success. */
export function refused({ origin, path, status, text, sentToken }: Refused): RemoteError {
  const said = `${origin} says ${status}: ${shown(text) || 'nothing else'}`;
  if (status === 401 && !sentToken)
    return new RemoteError(
      `${origin} wants its token: set HTTP_TOKEN or HTTP_TOKEN_FILE, or use --token-file`,
      EXIT_NO_ACCESS,
    );
  if (status === 401)
    return new RemoteError(`${origin} does not take this token (${shown(text)})`, EXIT_NO_ACCESS);
  if (status === 403) return new RemoteError(said, EXIT_NO_ACCESS);
  if (status === 404 && text.startsWith('no such page'))
    return new RemoteError(
      `${origin} has no ${path}: the gateway is older than this program, see /stats for its version`,
      EXIT_NOT_SLUICE,
    );
  if (status === 409 || status === 429 || status === 503) return new RemoteError(said, EXIT_BUSY);
  if (status >= 300 && status < 400) return notSluice(origin, `it sends elsewhere (${status})`);
  if (status === 405 || status >= 500) return notSluice(origin, `${status}: ${shown(text)}`);
  return new RemoteError(said, 1);
}
