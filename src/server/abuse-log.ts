// Warns of connections that the gateway closed to protect itself. Each kind is logged once in 10 s at most, with the
// newest address and the number since the last line; level debug has a line for each that was never served. Of the bytes
// that a device sent, only a device_id that has passed its check gets into the log.
import type { LimitedLines } from '../log/limited-lines.ts';
import type { Log } from '../log/log.ts';
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';
import type { HandshakeFailure } from '../protocol/handshake-failures.ts';
import { PROXY_FAULTS, type ProxyFault } from '../protocol/proxy-results.ts';
import type { UnauthorizedReason } from '../protocol/unauthorized.ts';

const LIMITS = { too_many_errors: 'device_lines_refused', overloaded: 'memory_overloaded' } as const;

/** Undefined if another line says it. */
const HANDSHAKES = {
  timeout: 'tls_handshake_late',
  plain: 'tls_missing',
  wrong_protocol: undefined,
  certificate: 'tls_certificate_refused',
  handshake: 'tls_handshake_failed',
  gone: 'tls_handshake_left',
  overloaded: undefined,
} as const satisfies Record<HandshakeFailure, string | undefined>;

const UNAUTHORIZED = {
  missing: 'token_missing',
  unknown: 'token_unknown',
  device_id: 'token_of_other_device',
  certificate: 'certificate_of_other_device',
  revoked: 'token_revoked',
  network: 'sender_untrusted',
} as const satisfies Record<UnauthorizedReason, string>;

export type LimitCode = keyof typeof LIMITS;

export class AbuseLog {
  readonly #log: Log;
  readonly #lines: LimitedLines;

  constructor(log: Log) {
    this.#log = log;
    this.#lines = log.limited();
  }

  wrongProtocol(protocol: ForeignProtocol, remoteAddress: string): void {
    this.#lines.write('protocol_wrong', { protocol, remoteAddress }, protocol);
  }

  framingLost(remoteAddress: string): void {
    this.#lines.write('octet_count_missing', { remoteAddress });
  }

  proxyFault(fault: ProxyFault, remoteAddress: string): void {
    const reason = PROXY_FAULTS[fault];
    this.#lines.write('proxy_header_faulty', { reason, remoteAddress }, fault);
    this.#unserved(reason, remoteAddress);
  }

  limit(code: LimitCode, remoteAddress: string): void {
    this.#lines.write(LIMITS[code], { remoteAddress });
  }

  handshake(reason: HandshakeFailure, remoteAddress: string): void {
    const event = HANDSHAKES[reason];
    if (event !== undefined) this.#lines.write(event, { reason, remoteAddress });
    this.#unserved(`TLS handshake: ${reason}`, remoteAddress);
  }

  /** @param known name of the token and device_id, as far as they are known */
  unauthorized(
    reason: UnauthorizedReason,
    remoteAddress: string,
    known: { readonly name?: string | undefined; readonly deviceId?: string | undefined },
  ): void {
    this.#lines.write(UNAUTHORIZED[reason], { reason, ...known, remoteAddress });
  }

  #unserved(reason: string, remoteAddress: string): void {
    if (this.#log.isDebug) this.#log.write('connection_unserved', { remoteAddress, reason });
  }
}
