// The counters of connections and lines: plain numbers that connections raise and the snapshot reads.
import { countsByClose } from '../protocol/close-reasons.ts';
import { countsByCode } from '../protocol/codes.ts';
import { countsByProtocol } from '../protocol/foreign-protocol.ts';
import { countsByProxyResult } from '../protocol/proxy-results.ts';
import { countsByUnauthorized } from '../protocol/unauthorized.ts';

export type ServerCounters = ReturnType<typeof createServerCounters>;

export function createServerCounters() {
  return {
    receivedBytes: 0,
    /** Lines that were taken or refused. A line that waits for room in the queue does not count yet. */
    linesReceived: 0,
    linesAccepted: 0,
    /** Refusals that answered a received line. */
    linesRefused: 0,
    /** The part of both that came to TCP_LINES_PORT. */
    plainLines: { accepted: 0, refused: 0 },
    /** Connections that were told of an unknown field. */
    warnings: 0,
    /** Accepted lines that were not written again, because their device had resumed above their seq. */
    linesAlreadyStored: 0,
    /** All refusals, also those of a connection (timeouts). */
    refused: countsByCode(),
    /** Connections that have ended. The acceptor counts those that it refused. */
    closed: countsByClose(),
    /** Connections that began in another protocol. */
    wrongProtocol: countsByProtocol(),
    /** Connections of trusted proxies. */
    proxyHeaders: countsByProxyResult(),
    /** Identify lines refused and connections closed because of their tokens. */
    unauthorized: countsByUnauthorized(),
    /** Sockets that are not read at present (read-pauses.ts). */
    paused: 0,
    /** Those of them that have used up their refused lines or a rate. */
    slowed: 0,
    identified: 0,
    /** Open connections to TCP_LINES_PORT. */
    senders: 0,
  };
}
