// Explains why a token endpoint could not be asked: the system names an event of the socket, and not the setting that is
// wrong.
import { FileError } from '../../config/file-content.ts';
import { nameAdvice } from '../client/connect-advice.ts';

const NOT_FOUND = /^(?:ENOTFOUND|EAI_\w+)$/;
const NOT_TRUSTED = /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT_|INVALID_CA|INVALID_PURPOSE)/;
const NO_TLS = /^(?:ERR_SSL_|EPROTO$)/;

/** In words that follow the address of the endpoint. @param host its name, for messages */
export function endpointAdvice(
  error: unknown,
  { host, timeoutMs }: { host: string; timeoutMs: number },
): string {
  if (error instanceof FileError) return `cannot be asked: ${error.message}`;
  const { code, name, message } = error as { code?: unknown; name?: unknown; message?: unknown };
  const text = typeof code === 'string' ? code : '';
  if (name === 'AbortError' || name === 'TimeoutError')
    return `did not answer within ${timeoutMs / 1000} s: check the address, the firewall, and whether the server runs`;
  if (text === 'ECONNREFUSED') return 'cannot be reached: nothing listens there (ECONNREFUSED)';
  if (NOT_FOUND.test(text)) return `cannot be reached: ${nameAdvice(host, text)}`;
  if (text === 'CERT_HAS_EXPIRED') return 'cannot be trusted: its certificate has expired (CERT_HAS_EXPIRED)';
  if (text === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `cannot be trusted: its certificate is not for ${host} (${text})`;
  if (NOT_TRUSTED.test(text))
    return `cannot be trusted: set KAFKA_OAUTH_CA to the authority of its certificate (${text})`;
  if (NO_TLS.test(text)) return `does not speak TLS as https:// demands (${text})`;
  if (text === 'ECONNRESET') return 'closed the connection without an answer (ECONNRESET)';
  return `cannot be asked: ${text === '' ? String(message) : text}`;
}
