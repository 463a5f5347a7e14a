// Why connections to the TLS port end before they are served: the label of the metric.

export const HANDSHAKE_FAILURES = [
  /** No handshake within TCP_TLS_HANDSHAKE_TIMEOUT, or the device was silent while others waited. */
  'timeout',
  /** The device spoke without TLS. */
  'plain',
  /** The first bytes are of another protocol. */
  'wrong_protocol',
  /** The device showed no certificate, or one that TCP_TLS_CA and TCP_TLS_CRL do not allow or that names no device_id. */
  'certificate',
  /** The device and the gateway have no version or cipher in common, or the bytes are no valid handshake. */
  'handshake',
  /** The device ended the connection, perhaps because it does not trust the certificate of the gateway. */
  'gone',
  /** TCP_BUFFER_BYTES are used up. */
  'overloaded',
] as const;

export type HandshakeFailure = (typeof HANDSHAKE_FAILURES)[number];

/** A count of 0 for each reason. */
export function countsByFailure(): Record<HandshakeFailure, number> {
  return Object.fromEntries(HANDSHAKE_FAILURES.map((name) => [name, 0])) as Record<HandshakeFailure, number>;
}
