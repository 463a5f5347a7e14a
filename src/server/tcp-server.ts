// The table of open connections: the registry of devices, the zipcodes, the way down. Sockets come from the
// acceptor, in this process or another.
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { rateLimited } from '../log/rate-limited-log.ts';
import type { Code } from '../protocol/codes.ts';
import type { Identify } from '../protocol/messages.ts';
import type { JobSink, LineBytes } from '../queue/job.ts';
import { Connection, type ConnectionHost, type ConnectionOptions } from './connection.ts';
import { createServerCounters, type ServerCounters } from './counters.ts';
import { TimerWheel } from './timer-wheel.ts';

export interface TcpServerEvents {
  /** So many bytes were read from a device, and their lines are in the sink. */
  received?(bytes: number): void;
  /** A line was refused; the bytes are only valid during the call. */
  refusedLine?(connection: Connection, code: Code, line: LineBytes): void;
  /** The connection has a zipcode now, and perhaps a device id. */
  identified?(connection: Connection): void;
  /** The connection is gone. */
  closed?(connection: Connection): void;
}

export interface TcpServerDeps {
  readonly sink: JobSink;
  readonly log: Logger;
  readonly events?: TcpServerEvents;
  /** Kept by the server: its open connections by their id. */
  readonly connections?: Map<string, Connection>;
  /** Kept by the server. */
  readonly counters?: ServerCounters;
}

const WARNING_EVERY_MS = 10_000;
/** A fleet told to reconnect is spread over this long. */
const RECONNECT_AFTER_MS = { least: 500, most: 5000 };

export class TcpServer implements ConnectionHost {
  readonly options: ConnectionOptions;
  readonly sink: JobSink;
  readonly wheel = new TimerWheel();
  readonly counters: ServerCounters;

  readonly #events: TcpServerEvents;
  readonly #connections: Map<string, Connection>;
  readonly #devices = new Map<string, Connection>();
  readonly #zipcodes = new Map<string, number>();
  readonly #warnDropped: () => void;
  #reading = true;

  constructor(options: ConnectionOptions, deps: TcpServerDeps) {
    const { sink, log, events = {}, connections = new Map(), counters = createServerCounters() } = deps;
    this.options = options;
    this.sink = sink;
    this.counters = counters;
    this.#events = events;
    this.#connections = connections;
    this.#warnDropped = rateLimited({ everyMs: WARNING_EVERY_MS }, (count) =>
      log.warn({ count }, 'Job queue full, dropping message'),
    );
  }

  get activeConnections(): number {
    return this.#connections.size;
  }

  /** Zipcodes of the connections that are open now. */
  get uniqueZipcodes(): number {
    return this.#zipcodes.size;
  }

  /** Starts the connections' timers. */
  start(): void {
    this.wheel.start();
  }

  /** Serves the device behind the socket. */
  adopt(socket: Socket): Connection {
    const connection = new Connection(this, socket);
    this.#connections.set(connection.id, connection);
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

  /** Reads no further byte, from no device; lines already taken are still handled. */
  stopReading(): void {
    this.#reading = false;
    for (const connection of this.#connections.values()) connection.stopReading();
  }

  /** Says goodbye to every device and resolves when all sockets are closed, by force after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const spread = RECONNECT_AFTER_MS.most - RECONNECT_AFTER_MS.least;
    for (const connection of this.#connections.values()) {
      connection.shutdown(Math.round(RECONNECT_AFTER_MS.least + Math.random() * spread));
    }
    const force = setTimeout(() => {
      for (const connection of this.#connections.values()) connection.destroy();
    }, graceMs);
    while (this.#connections.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    clearTimeout(force);
    this.wheel.stop();
  }

  // --- what connections call ---

  received(bytes: number): void {
    this.#events.received?.(bytes);
  }

  identified(connection: Connection, message: Identify): void {
    this.counters.identified++;
    this.#zipcodes.set(message.zipcode, (this.#zipcodes.get(message.zipcode) ?? 0) + 1);
    connection.deviceId = message.device_id;
    if (message.device_id !== undefined) {
      const earlier = this.#devices.get(message.device_id);
      this.#devices.set(message.device_id, connection);
      earlier?.replaced();
    }
    this.#events.identified?.(connection);
  }

  lineRefused(connection: Connection, code: Code, line: LineBytes): void {
    this.#events.refusedLine?.(connection, code, line);
  }

  dropped(): void {
    this.#warnDropped();
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection.id);
    this.#events.closed?.(connection);
    if (!connection.identified) return;
    this.counters.identified--;
    const { zipcode } = connection.frame;
    const left = (this.#zipcodes.get(zipcode) ?? 0) - 1;
    if (left <= 0) this.#zipcodes.delete(zipcode);
    else this.#zipcodes.set(zipcode, left);
    const { deviceId } = connection;
    if (deviceId !== undefined && this.#devices.get(deviceId) === connection) this.#devices.delete(deviceId);
  }
}
