// Explains failed TLS handshakes with a broker. OpenSSL's own texts name an alert and a line of its source, and not the
// setting to look at.

const TRUST =
  'is signed by an authority that is not trusted: set KAFKA_SSL_CA to the certificate of that authority';

/** By the `code` of Node's error. The text follows "the broker's certificate". */
const OF_BROKER: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: TRUST,
  UNABLE_TO_GET_ISSUER_CERT: TRUST,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: TRUST,
  SELF_SIGNED_CERT_IN_CHAIN: TRUST,
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is signed by itself: set KAFKA_SSL_CA to it, or to its authority',
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet: compare the clocks',
  ERR_TLS_CERT_ALTNAME_INVALID: 'is not for this address: the address has to be one of its alternative names',
};

/** The broker's alerts. Between prefix and name OpenSSL puts a version of TLS, or `SSL/TLS` from 3.2 on. */
const ALERT = /^ERR_SSL_[\w/]*ALERT_(\w+)$/;
const ABOUT_OURS = /CERTIFICATE|UNKNOWN_CA|DECRYPT_ERROR/;

/**
 * A broker of Kafka 2.8 on Java 17 that refuses our certificate: OpenSSL cannot read its alert. A damaged stream would look
 * the same, but it is rare.
 */
const UNREADABLE_ALERT = 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC';

/** With TLS 1.2 some brokers say no more. */
const NO_REASON = 'HANDSHAKE_FAILURE';

/** Undefined if the error is not about a certificate. */
export function tlsAdvice(code: unknown): string | undefined {
  if (typeof code !== 'string') return undefined;
  const aboutBroker = OF_BROKER[code];
  if (aboutBroker !== undefined) return `the broker's certificate ${aboutBroker} (${code})`;
  const alert = ALERT.exec(code)?.[1] ?? '';
  if (alert === NO_REASON)
    return `the broker refuses the handshake: it may want a certificate (KAFKA_SSL_CERT, KAFKA_SSL_KEY), or other versions of TLS (${code})`;
  if (!ABOUT_OURS.test(alert) && code !== UNREADABLE_ALERT) return undefined;
  return `the broker refuses the certificate of the gateway, or wants one and got none: check KAFKA_SSL_CERT and KAFKA_SSL_KEY (${code})`;
}
