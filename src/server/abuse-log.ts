// Warns of connections that the gateway closed to protect itself. Each kind is logged once in 10 s at most, with the
// newest address and the number since the last line. Nothing that a device sent gets into the log.
import type { Logger } from 'pino';
import { type RateLimited, rateLimited } from '../log/rate-limited-log.ts';
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';

const EVERY_MS = 10_000;

const LIMIT_MESSAGES = {
  too_many_errors:
    'Connection closed: its lines were refused again and again. The dead letters and the replies say why',
  overloaded:
    'Connection closed: TCP_BUFFER_BYTES are used up and it held most. Devices that confirm send again what is not stored',
} as const;

export type LimitCode = keyof typeof LIMIT_MESSAGES;

interface Warning {
  remoteAddress: string;
  readonly happened: RateLimited;
}

export class AbuseLog {
  readonly #log: Logger;
  /** By code or protocol, of which there are few. */
  readonly #warnings = new Map<string, Warning>();

  constructor(log: Logger) {
    this.#log = log;
  }

  wrongProtocol(protocol: ForeignProtocol, remoteAddress: string): void {
    const message =
      'Connection closed: another protocol came to the port of devices. Correct the address there, or close the port to it';
    this.#warn(protocol, { message, fields: { protocol }, remoteAddress });
  }

  limit(code: LimitCode, remoteAddress: string): void {
    this.#warn(code, { message: LIMIT_MESSAGES[code], fields: {}, remoteAddress });
  }

  #warn(kind: string, event: { message: string; fields: object; remoteAddress: string }): void {
    const warning = this.#warnings.get(kind) ?? this.#addWarning(kind, event);
    warning.remoteAddress = event.remoteAddress;
    warning.happened();
  }

  #addWarning(kind: string, { message, fields }: { message: string; fields: object }): Warning {
    const warning: Warning = {
      remoteAddress: '',
      happened: rateLimited({ everyMs: EVERY_MS }, (count) =>
        this.#log.warn({ ...fields, remoteAddress: warning.remoteAddress, count }, message),
      ),
    };
    this.#warnings.set(kind, warning);
    return warning;
  }
}
