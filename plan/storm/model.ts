// What the simulation of a storm is given: the fleet, the gateways, the costs, and the limits that the gateway itself has.
// The limits are those of the code, not copies.
import { loadSettings } from '../../src/config/load.ts';
import { BACKLOG, MAX_ASKING } from '../../src/server/acceptor.ts';
import { INHERITED } from '../../src/server/listening-handle.ts';
import { SECOND_HALF_MS, TURN_MS } from '../../src/server/tls-stage.ts';
import type { Constants } from '../constants.ts';
import type { Rule } from './rules.ts';

/** CPU of a connection in the gateway, microseconds. */
export interface Costs {
  /** From accept() until it asks for its place. */
  readonly acceptUs: number;
  /** Its place, in the first process. */
  readonly placeUs: number;
  /** A full TLS handshake until the first answer, with the signature. */
  readonly firstHalfUs: number;
  readonly secondHalfUs: number;
  /** Identify, and what the device sends with it. */
  readonly identifyUs: number;
}

/** CPU of a connection in the load generator of a measured run, which shares the machine. */
export interface Generator {
  readonly processes: number;
  readonly connectUs: number;
  /** Connects that begin in one turn of the event loop. */
  readonly connectsPerTurn: number;
  /** Devices of a process that may be between their connect and `identified`. */
  readonly mostUnderWay: number;
}

export interface World {
  readonly devices: number;
  readonly gateways: number;
  /** TCP_PROCESSES of each gateway. */
  readonly processes: number;
  /** Of the machine that a gateway has to itself. */
  readonly cores: number;
  /** Share of the cores that other work takes. */
  readonly background: number;
  readonly tls: boolean;
  readonly rttMs: number;
  readonly costs: Costs;
  readonly rule: Rule;
  /** Of one gateway: TCP_MAX_CONNECTIONS. */
  readonly maxConnections: number;
  /** TCP_TLS_MAX_HANDSHAKES. Absent: the default. */
  readonly maxHandshakes?: number | undefined;
  /** A device gives up an attempt after this time. */
  readonly patienceMs: number;
  /** When the kernel of a device sends its SYN again, milliseconds from the first. */
  readonly synAgainMs: readonly number[];
  readonly seed: number;
  /** A simulation that is not over by then ends. */
  readonly limitMs: number;
  readonly generator?: Generator | undefined;
}

/** The limits of the gateway, from its code and the defaults of its settings. */
export interface Limits {
  /** Connections that the kernel keeps until they are accepted. */
  readonly backlog: number;
  readonly maxAsking: number;
  readonly acceptsPerTurn: number;
  readonly maxHandshakes: number;
  readonly handshakeTimeoutMs: number;
  readonly handshakesMsPerTurn: number;
  readonly secondHalfMs: number;
}

/** Linux's own default of net.core.somaxconn, which limits the backlog of a port. */
const SOMAXCONN = 4096;
/** Shares of a connection's cost in a server process. They only say how much an attempt wastes that fails half-way. */
const ACCEPT_SHARE = 0.6;
const FIRST_HALF_SHARE = 0.7;

/** The limits of one server process. All of a gateway share its handshakes; a single one has only one listening descriptor. */
export function limitsOf({ processes, maxHandshakes }: Pick<World, 'processes' | 'maxHandshakes'>): Limits {
  const loaded = loadSettings({ env: { KAFKA_BROKERS: '127.0.0.1:9092' } });
  if (!loaded.ok) throw new Error(`the default settings are not valid: ${loaded.problems.join(', ')}`);
  const { TCP_TLS_MAX_HANDSHAKES, TCP_TLS_HANDSHAKE_TIMEOUT } = loaded.settings;
  return {
    backlog: Math.min(BACKLOG, SOMAXCONN),
    maxAsking: MAX_ASKING,
    acceptsPerTurn: processes === 1 ? 1 : INHERITED.copies,
    maxHandshakes: Math.max(1, Math.floor((maxHandshakes ?? TCP_TLS_MAX_HANDSHAKES) / processes)),
    handshakeTimeoutMs: TCP_TLS_HANDSHAKE_TIMEOUT,
    handshakesMsPerTurn: TURN_MS,
    secondHalfMs: SECOND_HALF_MS,
  };
}

/** @param keptMessages that a device sends with its identify, because they were not stored */
export function costsOf(constants: Constants, keptMessages = 0): Costs {
  const { connectServerUs, connectPrimaryUs, handshakeUs, messageUs } = constants;
  return {
    acceptUs: connectServerUs * ACCEPT_SHARE,
    placeUs: connectPrimaryUs,
    firstHalfUs: handshakeUs * FIRST_HALF_SHARE,
    secondHalfUs: handshakeUs * (1 - FIRST_HALF_SHARE),
    identifyUs: connectServerUs * (1 - ACCEPT_SHARE) + keptMessages * messageUs,
  };
}
