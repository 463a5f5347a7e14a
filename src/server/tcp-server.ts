// Owns the open connections of a process, by their id, and their orderly end. It does not listen: connections come from
// the acceptor and the stages. Caps, zipcodes and device_ids are in connection-ledger.ts.
import type { Log } from '../log/log.ts';
import type { Code } from '../protocol/codes.ts';
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';
import type { Identify } from '../protocol/messages.ts';
import { UNAUTHORIZED } from '../protocol/unauthorized.ts';
import type { JobSink, LineBytes, Refusal } from '../queue/job.ts';
import { TurnBudget } from '../queue/turn-budget.ts';
import { AbuseLog, type LimitCode } from './abuse-log.ts';
import { ClosedConnections } from './closed-connections.ts';
import { Connection } from './connection.ts';
import type { ConnectionHost, ConnectionOptions } from './connection-host.ts';
import { ConnectionLog } from './connection-log.ts';
import { createServerCounters, type ServerCounters } from './counters.ts';
import { type DeparturePlan, Departures, reconnectAfterMs, returnWindowMs } from './departures.ts';
import { type Allowed, type Denial, DeviceAccess } from './device-access.ts';
import { MemoryBudget } from './memory-budget.ts';
import { ReplyFlush } from './reply-flush.ts';
import type { EndedBy } from './settlement.ts';
import type { Admitted, StageHost } from './stage.ts';
import { TimerWheel } from './timer-wheel.ts';

export interface TcpServerOptions extends ConnectionOptions {
  /** Most bytes that all connections hold together (TCP_BUFFER_BYTES). */
  readonly bufferBytes: number;
}

export interface TcpServerEvents {
  /** Bytes were read from a device, and their lines are in the sink. */
  received?(bytes: number): void;
  /** A whole line was refused. Its bytes are valid only during the call. */
  refusedLine?(connection: Connection, code: Code, line: LineBytes): void;
  /** As ConnectionHost.refused. */
  refused?(connection: Connection, refusal: Refusal, line: LineBytes | undefined): void;
  /** As ConnectionHost.identified. */
  identified?(connection: Connection, resumes: boolean): void;
  /** As ConnectionHost.ended. */
  ended?(connection: Connection, by: EndedBy): void;
  /** As ConnectionHost.settled. */
  settled?(connection: Connection, storedSeq: number | undefined): void;
  /** The connection has ended. */
  closed?(connection: Connection): void;
}

export interface TcpServerDeps {
  readonly sink: JobSink;
  /** That of the sink: replies are charged to it. */
  readonly budget?: TurnBudget;
  readonly log: Log;
  readonly events?: TcpServerEvents;
  /** Kept by the server: its open connections by their id. */
  readonly connections?: Map<string, Connection>;
  /** Kept by the server. */
  readonly counters?: ServerCounters;
  readonly wheel?: TimerWheel;
  /** By default every device may identify. */
  readonly access?: DeviceAccess;
}

const PARTING_CHECK_MS = 20;
/** Connections that are looked at in one turn of the event loop when tokens have changed. */
const RECHECK_SLICE = 256;

/** Their bytes are the start of a line, or no line at all. */
const PARTS: ReadonlySet<Code> = new Set<Code>(['line_too_long', 'wrong_protocol']);

export class TcpServer implements ConnectionHost<Connection>, StageHost {
  readonly options: ConnectionOptions;
  readonly sink: JobSink;
  readonly wheel: TimerWheel;
  readonly memory: MemoryBudget;
  readonly replyFlush: ReplyFlush;
  readonly counters: ServerCounters;
  readonly abuseLog: AbuseLog;
  readonly closedConnections = new ClosedConnections();

  readonly #events: TcpServerEvents;
  readonly #connections: Map<string, Connection>;
  readonly #access: DeviceAccess;
  readonly #departures = new Departures();
  readonly #log: ConnectionLog;
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
    this.abuseLog = new AbuseLog(log);
    this.#log = new ConnectionLog(log);
    this.#access = deps.access ?? new DeviceAccess();
  }

  get activeConnections(): number {
    return this.#connections.size;
  }

  /** Starts the connections' timers. */
  start(): void {
    this.wheel.start();
  }

  /** Serves the device behind the source. */
  adopt(admitted: Admitted): Connection {
    const connection = new Connection(this, admitted);
    this.#connections.set(connection.id, connection);
    if (connection.plain !== undefined) this.counters.senders++;
    this.#log.opened(connection);
    // It was on its way here when the stop began.
    if (!this.#reading) connection.stopReading();
    return connection;
  }

  /** Lines that were read and wait for room in the queue. */
  get heldLines(): number {
    let lines = 0;
    for (const connection of this.#connections.values()) lines += connection.heldLines;
    return lines;
  }

  /** Tells the devices to go, one after the other. Each connection ends once its lines are answered. */
  depart(plan: DeparturePlan): void {
    this.#departures.begin(this.#connections.values(), plan);
  }

  /** Reads no further byte from any device. Lines already read are still handled. */
  stopReading(): void {
    this.#reading = false;
    this.#departures.stop();
    for (const connection of this.#connections.values()) connection.stopReading();
  }

  /**
   * As stopReading(), but a sender of plain lines is told by our FIN and read on: lines that it writes meanwhile would be lost.
   * Resolves when all of them have ended, or not longer than they may be read. stopReading() has to follow.
   */
  async part(withinMs: number): Promise<void> {
    this.#reading = false;
    this.#departures.stop();
    const untilMs = performance.now() + withinMs;
    for (const connection of this.#connections.values())
      if (!connection.partForStop()) connection.stopReading();
    while (this.counters.senders > 0 && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, PARTING_CHECK_MS));
  }

  /**
   * Sends `closing` to every device. Resolves when all sockets are closed, by force after `graceMs`.
   * @param returnMs time over which the devices come back
   */
  async close(graceMs: number, returnMs = returnWindowMs(this.#connections.size)): Promise<void> {
    const all = [...this.#connections.values()];
    for (const [index, connection] of all.entries()) {
      const share = (index + Math.random()) / all.length;
      connection.shutdown(reconnectAfterMs(share, { overMs: 0, returnMs }));
    }
    const force = setTimeout(() => {
      for (const connection of this.#connections.values()) connection.destroy();
    }, graceMs);
    while (this.#connections.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    clearTimeout(force);
    this.wheel.stop();
  }

  /** Tokens have changed: closes the connections whose token was revoked. Resolves when all were looked at. */
  async recheckTokens(): Promise<void> {
    let left = RECHECK_SLICE;
    for (const connection of this.#connections.values()) {
      if (left-- === 0) {
        await new Promise((resolve) => setImmediate(resolve));
        left = RECHECK_SLICE;
      }
      if (this.#access.isRevoked(connection)) this.#revoke(connection);
    }
  }

  #revoke(connection: Connection): void {
    if (!connection.close('unauthorized', UNAUTHORIZED.revoked)) return;
    this.counters.unauthorized.revoked++;
    this.abuseLog.unauthorized('revoked', connection.remoteAddress, {
      name: connection.grant?.name,
      deviceId: connection.deviceId,
    });
  }

  // --- called by connections ---

  received(bytes: number): void {
    this.#events.received?.(bytes);
  }

  authorize(message: Identify, certifiedId: string | undefined): Allowed | Denial {
    return this.#access.check(message, certifiedId);
  }

  unauthorized({ remoteAddress }: Connection, denial: Denial, { device_id: deviceId }: Identify): void {
    const { reason } = denial;
    this.counters.unauthorized[reason]++;
    // Only a device_id that stands beside a known token is worth a look.
    this.abuseLog.unauthorized(
      reason,
      remoteAddress,
      reason === 'device_id' ? { name: denial.name, deviceId } : {},
    );
  }

  identified(connection: Connection, resumes: boolean): void {
    this.counters.identified++;
    this.#log.identified(connection);
    this.#events.identified?.(connection, resumes);
  }

  ended(connection: Connection, by: EndedBy): void {
    this.#events.ended?.(connection, by);
  }

  settled(connection: Connection, storedSeq: number | undefined): void {
    this.#events.settled?.(connection, storedSeq);
  }

  refused(connection: Connection, refusal: Refusal, line: LineBytes | undefined): void {
    const { code } = refusal;
    this.#events.refused?.(connection, refusal, line);
    // The beginning of a plain line that was too long tells its sender's operator more than nothing.
    const isPart = PARTS.has(code) && (connection.plain === undefined || connection.receivedLines === 0);
    if (line === undefined || isPart) return;
    this.#log.lineRefused(connection, code, line);
    this.#events.refusedLine?.(connection, code, line);
  }

  wrongProtocol({ remoteAddress }: { readonly remoteAddress: string }, protocol: ForeignProtocol): void {
    this.counters.wrongProtocol[protocol]++;
    this.abuseLog.wrongProtocol(protocol, remoteAddress);
  }

  framingLost({ remoteAddress }: Connection): void {
    this.abuseLog.framingLost(remoteAddress);
  }

  /** Its address may not connect to TCP_LINES_PORT, and it was closed. */
  untrusted(address: string): void {
    this.counters.unauthorized.network++;
    this.counters.refused.unauthorized++;
    this.counters.closed.unauthorized++;
    this.abuseLog.unauthorized('network', address, {});
  }

  limitReached({ remoteAddress }: Connection, code: LimitCode): void {
    this.abuseLog.limit(code, remoteAddress);
  }

  aged(connection: Connection): void {
    this.#departures.add(connection);
  }

  closed(connection: Connection): void {
    this.#departures.forget(connection);
    this.#connections.delete(connection.id);
    this.closedConnections.add(connection);
    this.#log.closed(connection);
    this.#events.closed?.(connection);
    if (connection.plain !== undefined) this.counters.senders--;
    else if (connection.frame !== undefined) this.counters.identified--;
  }
}
