// The stages of a connection and their common interface. A connection goes from stage to stage until a Connection serves it:
//
//   accepted ─> [PROXY header] ─> place (ConnectionLedger) ─> [TLS] ─> Connection
//
// Each stage limits the bytes that it holds, has a deadline, and says how much of the event loop it takes.
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';
import type { AbuseLog } from './abuse-log.ts';
import type { ByteSource } from './byte-source.ts';
import type { ServerCounters } from './counters.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { PlainSource } from './plain-source.ts';
import type { Port } from './port.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** A connection before it is served. Its source is paused, and only one stage has it at a time. */
export interface Arrival {
  /** That of the connection, from accept() on. */
  readonly id: string;
  /** Monotonic milliseconds. */
  readonly acceptedAtMs: number;
  readonly source: PlainSource;
  /** The peer's address, or the one that a trusted proxy named. Caps, rates, logs and dead letters use it. */
  readonly address: string;
  readonly port: Port;
  /** A trusted proxy speaks for itself, as in a health check, which ends as soon as it knows enough. */
  readonly isLocal?: boolean;
}

/** A connection that can be served. */
export interface Admitted {
  readonly id: string;
  readonly source: ByteSource;
  readonly address: string;
  /** TCP_PORT if left out. */
  readonly port?: Port;
  /** The device_id that its certificate fixes. */
  readonly certifiedId?: string | undefined;
}

export interface Stage<Result> {
  /** Connections that are in it. */
  readonly size: number;
  /** Those connections. */
  arrivals(): Iterable<Arrival>;
  /**
   * Takes a connection over. It ends with one call of `leave`, perhaps at once: with the result if the next stage has the
   * connection then, or without if the source is closed or will be.
   */
  enter(arrival: Arrival, leave: (result: Result | undefined) => void): void;
  /** Closes the connections that are in it. */
  close(): void;
}

/** The server as its stages see it. */
export interface StageHost {
  readonly wheel: TimerWheel;
  readonly memory: MemoryBudget;
  readonly counters: ServerCounters;
  readonly abuseLog: AbuseLog;
  /** Counts and logs a connection that began in another protocol. */
  wrongProtocol(peer: { readonly remoteAddress: string }, protocol: ForeignProtocol): void;
  /** Counts and logs a connection to TCP_LINES_PORT from an address that may not connect. */
  untrusted(address: string): void;
}
