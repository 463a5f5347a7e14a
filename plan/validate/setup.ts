// What measured runs and their simulation have in common: processes, lines, and how the load generator works.

/** TCP_PROCESSES of the measured gateways. */
export const SERVER_PROCESSES = 3;
/** Each may have 20,000 open files here, as each server process. */
export const CLIENT_PROCESSES = 3;
/** Connects that begin in one turn of the generator's event loop, so that replies are read between them. */
export const CONNECTS_PER_TURN = 16;
/**
 * Devices of a generator's process that may be between their connect and `identified`. Over TLS a connection costs the
 * generator more CPU than the gateway, and all of 50,000 at once would measure who of them gets the cores: a device would wait
 * for its own generator until the deadline of its handshake. So TLS devices come as fast as the others are served.
 */
export const MOST_UNDER_WAY = { plain: Number.MAX_SAFE_INTEGER, tls: 64 } as const;
/** A device gives up an attempt after this time. */
export const PATIENCE_MS = 30_000;
/** Bytes of a line with its LF. */
export const LINE_BYTES = 200;
/** The storm counts until this share of the devices is back. The last ones depend on the seconds after which a SYN comes again. */
export const MOST = 0.99;
