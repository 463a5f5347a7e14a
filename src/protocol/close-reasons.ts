// Why connections end: the label of the metric. A connection that the gateway closes has the code of its last reply.
import { CLOSING_CODES, type ClosingCode, CODE_NAMES, type FatalCode, isFatal } from './codes.ts';
import type { HandshakeFailure } from './handshake-failures.ts';

const OTHER_REASONS = [
  /** The device ended its side, and had all its answers. */
  'device_end',
  /** The connection broke, or the device left before it had all its answers. */
  'reset',
  /** A TLS handshake failed, for a reason that no code names. */
  'tls_failed',
] as const;

export type CloseReason = FatalCode | ClosingCode | (typeof OTHER_REASONS)[number];

export const CLOSE_REASONS: readonly CloseReason[] = [
  ...CODE_NAMES.filter(isFatal),
  ...(Object.keys(CLOSING_CODES) as ClosingCode[]),
  ...OTHER_REASONS,
];

/** A count of 0 for each reason. */
export function countsByClose(): Record<CloseReason, number> {
  return Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, 0])) as Record<CloseReason, number>;
}

/** Connections to the TLS port that were never served. */
export const CLOSE_OF_HANDSHAKE: Readonly<Record<HandshakeFailure, CloseReason>> = {
  timeout: 'handshake_timeout',
  plain: 'tls_required',
  wrong_protocol: 'wrong_protocol',
  certificate: 'tls_failed',
  handshake: 'tls_failed',
  gone: 'reset',
  overloaded: 'overloaded',
};
