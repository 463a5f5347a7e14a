// The reply codes that devices get. A connection ends after an error reply exactly if this table says so, and the table
// in docs/protocol.md is generated from it. No other file invents a code.

interface CodeEntry {
  /** `close` ends the connection after the reply, `keep` leaves it open. */
  readonly effect: 'keep' | 'close';
  readonly meaning: string;
  /** Advice for the device. Only docs/protocol.md shows it; it never goes over the wire. */
  readonly deviceShould: string;
}

/** The codes of `error` replies. */
export const CODES = {
  invalid_json: {
    effect: 'keep',
    meaning: 'the line is not one JSON object',
    deviceShould: 'correct the line; the same bytes are refused again',
  },
  invalid_utf8: {
    effect: 'keep',
    meaning: 'the line holds bytes that are not UTF-8',
    deviceShould: 'correct the line; the same bytes are refused again',
  },
  invalid_message: {
    effect: 'keep',
    meaning:
      'the line is JSON but not a message of the protocol, or Kafka refused its record; the text says why',
    deviceShould: 'correct the message, or discard it',
  },
  already_identified: {
    effect: 'keep',
    meaning: 'a second identify on one connection',
    deviceShould: 'do nothing: the connection keeps its first identity',
  },
  record_too_large: {
    effect: 'keep',
    meaning: 'a reading is larger than a Kafka record may be',
    deviceShould: 'discard the reading, or split it into smaller ones',
  },
  queue_full: {
    effect: 'keep',
    meaning: 'the job queue is full and TCP_JOB_QUEUE_FULL is drop',
    deviceShould: 'wait a second, then send the message again, with a new seq if a higher one was sent',
  },
  rate_limited: {
    effect: 'keep',
    meaning:
      'lines come faster than TCP_MAX_MESSAGES_PER_SECOND or TCP_MAX_BYTES_PER_SECOND allow, so the server reads them more slowly; said once a minute at most',
    deviceShould: 'send less; nothing is lost, and writes take longer',
  },
  identify_timeout: {
    effect: 'close',
    meaning: 'no identify within TCP_IDENTIFY_TIMEOUT',
    deviceShould: 'reconnect and identify at once',
  },
  not_identified: {
    effect: 'close',
    meaning: 'the first message was not an identify',
    deviceShould: 'reconnect and identify first',
  },
  unauthorized: {
    effect: 'close',
    meaning:
      "the token is missing or not known, or does not cover the device_id; or the device's certificate names no device_id, or another one; also sent when the token of a connection is revoked. A refused identify is answered after 1 to 1.5 s",
    deviceShould:
      'have its token, certificate or device_id corrected; wait at least a minute before it reconnects',
  },
  tls_required: {
    effect: 'close',
    meaning: 'the device spoke without TLS to the port TCP_TLS_PORT; the reply comes without TLS',
    deviceShould: 'have its port or its TLS settings corrected: no retry helps',
  },
  handshake_timeout: {
    effect: 'close',
    meaning:
      'no TLS handshake within TCP_TLS_HANDSHAKE_TIMEOUT; only a device that had sent nothing gets the reply',
    deviceShould: 'wait, longer after each time, then reconnect and begin the handshake at once',
  },
  line_too_long: {
    effect: 'close',
    meaning: 'a line is longer than TCP_MAX_LINE_BYTES, or before identify longer than 8 KiB',
    deviceShould: 'split or discard the line; reconnect and send unconfirmed messages again',
  },
  line_timeout: {
    effect: 'close',
    meaning: 'a line has begun and did not end within TCP_LINE_TIMEOUT',
    deviceShould: 'reconnect and send unconfirmed messages again; write whole lines',
  },
  too_many_errors: {
    effect: 'close',
    meaning:
      'more than 1,000 lines were refused, and after 30 s of slower reading about 10 a second still come',
    deviceShould: 'correct its lines; wait at least a minute before it reconnects',
  },
  wrong_protocol: {
    effect: 'close',
    meaning:
      'the first bytes are HTTP, TLS, SSH, SMB or a PROXY header; or a proxy of TCP_PROXY_TRUSTED sent no valid PROXY header',
    deviceShould: 'have its address or port corrected: no retry helps',
  },
  overloaded: {
    effect: 'close',
    meaning:
      'TCP_BUFFER_BYTES are used up, and this connection holds most: unfinished lines, lines that wait, or unread replies',
    deviceShould:
      'wait, longer after each time, then reconnect and send unconfirmed messages again; write whole lines and read replies',
  },
  inactive: {
    effect: 'close',
    meaning: 'nothing was received for TCP_INACTIVITY_TIMEOUT',
    deviceShould: 'reconnect and send unconfirmed messages again; send a keepalive every minute',
  },
  server_full: {
    effect: 'close',
    meaning: 'as many connections as TCP_MAX_CONNECTIONS or its cap per address allow',
    deviceShould: 'wait, longer after each refusal, then reconnect',
  },
  replaced: {
    effect: 'close',
    meaning:
      'the same device_id identified on a newer connection; or on an earlier one, if the id changes its connection too often',
    deviceShould:
      'keep its newer connection; if it opened none, wait for reconnect_after_ms or at least a minute: another device has its id',
  },
  kicked: {
    effect: 'close',
    meaning:
      'an operator closed the connection (`POST /kick`); lines that had come are handled first, for up to 5 s',
    deviceShould: 'reconnect after reconnect_after_ms, and send unconfirmed messages again',
  },
  slow_reader: {
    effect: 'close',
    meaning: 'the device does not read its replies',
    deviceShould: 'reconnect and send unconfirmed messages again; read replies while it writes',
  },
} as const satisfies Record<string, CodeEntry>;

export type Code = keyof typeof CODES;

/** The codes that end the connection. */
export type FatalCode = { [C in Code]: (typeof CODES)[C]['effect'] extends 'close' ? C : never }[Code];

export const CODE_NAMES = Object.keys(CODES) as Code[];

/** A count of 0 for each code. */
export function countsByCode(): Record<Code, number> {
  return Object.fromEntries(CODE_NAMES.map((code) => [code, 0])) as Record<Code, number>;
}

/** The codes of `closing` replies, with why the connection ends. They refuse nothing, so no figure counts them as refused. */
export const CLOSING_CODES = {
  shutdown: 'the gateway stops',
  draining: 'the gateway is about to stop, and tells its devices one after the other (`SHUTDOWN_SPREAD`)',
  max_age:
    'the connection has reached `TCP_MAX_CONNECTION_AGE`, or up to a tenth more or less; the gateway goes on, and the next connection may lead to another one',
} as const;

export type ClosingCode = keyof typeof CLOSING_CODES;

/** True if the connection ends after a reply with this code. */
export function isFatal(code: Code): code is FatalCode {
  return CODES[code].effect === 'close';
}
