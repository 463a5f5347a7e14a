// Owns the open connections of a process, by their id, and their orderly end. It does not listen: sockets come from the
// acceptor. Caps, zipcodes and device_ids are in connection-ledger.ts.
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Code } from '../protocol/codes.ts';
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';
import type { Identify } from '../protocol/messages.ts';
import type { JobSink, LineBytes } from '../queue/job.ts';
import { TurnBudget } from '../queue/turn-budget.ts';
import { AbuseLog, type LimitCode } from './abuse-log.ts';
import { Connection, type ConnectionHost, type ConnectionOptions } from './connection.ts';
import { createServerCounters, type ServerCounters } from './counters.ts';
import { MemoryBudget } from './memory-budget.ts';
import { ReplyFlush } from './reply-flush.ts';
import { TimerWheel } from './timer-wheel.ts';

export interface TcpServerOptions extends ConnectionOptions {
  /** Most bytes that all connections hold together (TCP_BUFFER_BYTES). */
  readonly bufferBytes: number;
}

export interface TcpServerEvents {
  /** Bytes were read from a device, and their lines are in the sink. */
  received?(bytes: number): void;
  /** A line was refused. Its bytes are valid only during the call. */
  refusedLine?(connection: Connection, code: Code, line: LineBytes): void;
  /** The device has identified. */
  identified?(connection: Connection): void;
  /** The connection has ended. */
  closed?(connection: Connection): void;
}

export interface TcpServerDeps {
  readonly sink: JobSink;
  /** That of the sink: replies are charged to it. */
  readonly budget?: TurnBudget;
  readonly log: Logger;
  readonly events?: TcpServerEvents;
  /** Kept by the server: its open connections by their id. */
  readonly connections?: Map<string, Connection>;
  /** Kept by the server. */
  readonly counters?: ServerCounters;
  readonly wheel?: TimerWheel;
}

/** Range of reconnect_after_ms: a fleet must not come back all at once. */
const RECONNECT_AFTER_MS = { min: 500, max: 5000 };

export class TcpServer implements ConnectionHost {
  readonly options: ConnectionOptions;
  readonly sink: JobSink;
  readonly wheel: TimerWheel;
  readonly memory: MemoryBudget;
  readonly replyFlush: ReplyFlush;
  readonly counters: ServerCounters;

  readonly #events: TcpServerEvents;
  readonly #connections: Map<string, Connection>;
  readonly #abuseLog: AbuseLog;
  #reading = true;

  constructor(options: TcpServerOptions, deps: TcpServerDeps) {
    const { sink, log, events = {}, connections = new Map(), counters = createServerCounters() } = deps;
    this.options = options;
    this.sink = sink;
    this.wheel = deps.wheel ?? new TimerWheel();
    this.memory = new MemoryBudget(options.bufferBytes);
    this.replyFlush = new ReplyFlush(deps.budget ?? new TurnBudget());
    this.counters = counters;
    this.#events = events;
    this.#connections = connections;
    this.#abuseLog = new AbuseLog(log);
  }

  get activeConnections(): number {
    return this.#connections.size;
  }

  /** Starts the connections' timers. */
  start(): void {
    this.wheel.start();
  }

  /** Serves the device behind the socket. */
  adopt(socket: Socket): Connection {
    const connection = new Connection(this, socket);
    this.#connections.set(connection.id, connection);
    // A socket that was on its way here when the stop began.
    if (!this.#reading) connection.stopReading();
    return connection;
  }

  /** Lines that were read and wait for room in the queue. */
  get heldLines(): number {
    let lines = 0;
    for (const connection of this.#connections.values()) lines += connection.heldLines;
    return lines;
  }

  /** Reads no further byte from any device. Lines already read are still handled. */
  stopReading(): void {
    this.#reading = false;
    for (const connection of this.#connections.values()) connection.stopReading();
  }

  /** Sends `closing` to every device. Resolves when all sockets are closed, by force after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const { min, max } = RECONNECT_AFTER_MS;
    for (const connection of this.#connections.values()) {
      connection.shutdown(Math.round(min + Math.random() * (max - min)));
    }
    const force = setTimeout(() => {
      for (const connection of this.#connections.values()) connection.destroy();
    }, graceMs);
    while (this.#connections.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    clearTimeout(force);
    this.wheel.stop();
  }

  // --- called by connections ---

  received(bytes: number): void {
    this.#events.received?.(bytes);
  }

  identified(connection: Connection, message: Identify): void {
    this.counters.identified++;
    connection.deviceId = message.device_id;
    this.#events.identified?.(connection);
  }

  lineRefused(connection: Connection, code: Code, line: LineBytes): void {
    this.#events.refusedLine?.(connection, code, line);
  }

  wrongProtocol({ remoteAddress }: Connection, protocol: ForeignProtocol): void {
    this.counters.wrongProtocol[protocol]++;
    this.#abuseLog.wrongProtocol(protocol, remoteAddress);
  }

  limitReached({ remoteAddress }: Connection, code: LimitCode): void {
    this.#abuseLog.limit(code, remoteAddress);
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection.id);
    this.#events.closed?.(connection);
    if (connection.frame !== undefined) this.counters.identified--;
  }
}
