// Explains why a connection to a broker could not be made, or ended before the first answer: the system and kafkajs name
// an event of the socket, and not the port or setting that is wrong. Certificates are explained in tls-advice.ts.
import { tlsAdvice } from './tls-advice.ts';

/** All that is known about a connection that failed. */
export interface FailedConnection {
  readonly error: unknown;
  readonly host: string;
  /** We speak TLS (KAFKA_SSL). */
  readonly isTls: boolean;
  /** The TCP connection was made. */
  readonly isConnected: boolean;
  /** The peer has ended it. */
  readonly isEnded: boolean;
  /** The peer has answered ApiVersions. */
  readonly hasAnswered: boolean;
  /** Bytes of the peer that are no answer of Kafka. */
  readonly received: Buffer;
}

const NOT_FOUND = /^(ENOTFOUND|EAI_\w+)$/;
/** OpenSSL read something else than TLS. */
const NO_TLS = /^(ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)|EPROTO|ECONNRESET)$/;
const NO_ROUTE = /^E(NET|HOST)UNREACH$/;
const CLOSED = /^(ECONNRESET|EPIPE|)$/;
/** An alert: the answer of a TLS port to bytes that are no handshake. */
const TLS_ALERT = Buffer.of(0x15, 0x03);
const SHOWN_BYTES = 24;
/** Behind the message that a port takes connections and says nothing. Kafka 0.9 does that at a request for its versions. */
export const SAYS_NOTHING =
  '. Something listens there and says nothing: the broker hangs, or it is a Kafka 0.9, which is too old';
/** Behind the message about an address that a broker advertises. */
export const NEVER_REACHED =
  '. It was never reached: that is the address in its advertised.listeners, which must be one that Sluice can connect to';

const OTHER_PORT = 'KAFKA_BROKERS has to name a listener of a broker for clients';

/** In words, with the system's code, and without the address. */
export function connectAdvice(failed: FailedConnection): string {
  const { error, host, isTls, isConnected, isEnded, hasAnswered, received } = failed;
  const code = codeOf(error);
  const aboutCertificate = tlsAdvice(code);
  if (aboutCertificate !== undefined) return aboutCertificate;
  if (NOT_FOUND.test(code)) return nameAdvice(host, code);
  if (code === 'ECONNREFUSED') return 'nothing listens there (ECONNREFUSED)';
  if (NO_ROUTE.test(code)) return `no route leads there (${code}): check the network of this machine`;
  if (!isConnected && (code === '' || code === 'ETIMEDOUT'))
    return 'no connection in time: the machine is down, or a firewall drops the packets';
  if (!isConnected) return `no connection (${code})`;
  if (hasAnswered)
    return isEnded ? 'the connection was closed during the login' : 'no answer in time to the login';
  if (received.subarray(0, 2).equals(TLS_ALERT))
    return 'this port speaks TLS and Sluice does not: set KAFKA_SSL=true, or name the port of a listener without TLS';
  if (isTls && NO_TLS.test(code))
    return `the TLS handshake failed (${code}): this port does not seem to speak TLS. Name the port of a listener with TLS, or set KAFKA_SSL=false`;
  if (received.length > 0)
    return `what answers there is not Kafka: it begins with ${JSON.stringify(received.toString('latin1', 0, SHOWN_BYTES))}. ${OTHER_PORT}`;
  if (!isEnded && code === '') return 'no answer in time';
  if (!CLOSED.test(code)) return error instanceof Error ? error.message : String(error);
  const tls = isTls ? '' : ' If this port speaks TLS, set KAFKA_SSL=true.';
  return `the connection was closed before the first answer.${tls} ${OTHER_PORT}; a load balancer without a broker behind it closes connections, too, and so does Kafka 0.8`;
}

/** @param code of the look-up */
export function nameAdvice(host: string, code: string): string {
  return `the name ${host} cannot be resolved (${code}): check DNS and /etc/hosts`;
}

function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
