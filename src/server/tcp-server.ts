// The listener and the table of connections: caps, the registry of devices, the way down.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { rateLimited } from '../config/rate-limited-log.ts';
import type { Code } from '../protocol/codes.ts';
import type { Identify } from '../protocol/messages.ts';
import * as replies from '../protocol/replies.ts';
import type { JobSink, LineBytes } from '../queue/job.ts';
import { Connection, type ConnectionHost, type ConnectionOptions } from './connection.ts';
import { createServerCounters } from './counters.ts';
import { TimerWheel } from './timer-wheel.ts';

export interface TcpServerOptions extends ConnectionOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly maxConnections: number;
  /** 0 = no cap. */
  readonly maxConnectionsPerIp: number;
  /** Idle time before TCP keepalive probes in milliseconds, 0 = off. */
  readonly keepaliveMs: number;
}

/** Told of each refused line; the bytes are only valid during the call. */
export type RefusedLineListener = (connection: Connection, code: Code, line: LineBytes) => void;

// Refused connections that are still being told why; beyond it they are closed without a word.
const MAX_REFUSED_SOCKETS = 256;
const REFUSED_LINGER_MS = 1000;
const BACKLOG = 4096;
const WARNING_EVERY_MS = 10_000;
/** A fleet told to reconnect is spread over this long. */
const RECONNECT_AFTER_MS = { least: 500, most: 5000 };

export class TcpServer implements ConnectionHost {
  readonly options: TcpServerOptions;
  readonly sink: JobSink;
  readonly wheel = new TimerWheel();
  readonly counters = createServerCounters();

  readonly #log: Logger;
  readonly #onRefusedLine: RefusedLineListener | undefined;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #perAddress = new Map<string, number>();
  readonly #devices = new Map<string, Connection>();
  readonly #zipcodes = new Map<string, number>();
  readonly #refusedSockets = new Set<Socket>();
  readonly #warnFull: () => void;
  readonly #warnDropped: () => void;

  constructor(
    options: TcpServerOptions,
    deps: { sink: JobSink; log: Logger; onRefusedLine?: RefusedLineListener },
  ) {
    this.options = options;
    this.sink = deps.sink;
    this.#log = deps.log;
    this.#onRefusedLine = deps.onRefusedLine;
    const keepAlive = options.keepaliveMs > 0;
    this.#server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive, keepAliveInitialDelay: options.keepaliveMs },
      (socket) => this.#accept(socket),
    );
    this.#warnFull = rateLimited({ everyMs: WARNING_EVERY_MS }, (count) =>
      this.#log.warn({ count, maximum: options.maxConnections }, 'Connection refused: server full'),
    );
    this.#warnDropped = rateLimited({ everyMs: WARNING_EVERY_MS }, (count) =>
      this.#log.warn({ count }, 'Job queue full, dropping message'),
    );
  }

  get activeConnections(): number {
    return this.#connections.size;
  }

  /** Zipcodes of the connections that are open now. */
  get uniqueZipcodes(): number {
    return this.#zipcodes.size;
  }

  /** Resolves with the address it listens on; rejects with the system's error (EADDRINUSE, EACCES). */
  listen(): Promise<AddressInfo> {
    this.wheel.start();
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.options.host, port: this.options.port, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#log.error({ err: error }, 'TCP listener failed'));
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  /** An open connection by its id; a search, for what is rare. */
  connection(id: string): Connection | undefined {
    for (const connection of this.#connections) if (connection.id === id) return connection;
    return undefined;
  }

  /** Accepts no further connection and reads no further byte; lines already taken are still handled. */
  stopAccepting(): void {
    if (this.#server.listening) this.#server.close();
    for (const connection of this.#connections) connection.stopReading();
  }

  /** Says goodbye to every device and resolves when all sockets are closed, by force after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const spread = RECONNECT_AFTER_MS.most - RECONNECT_AFTER_MS.least;
    for (const connection of this.#connections) {
      connection.shutdown(Math.round(RECONNECT_AFTER_MS.least + Math.random() * spread));
    }
    const force = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, graceMs);
    while (this.#connections.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    clearTimeout(force);
    for (const socket of this.#refusedSockets) socket.destroy();
    this.wheel.stop();
  }

  // --- what connections call ---

  identified(connection: Connection, message: Identify): void {
    this.counters.identified++;
    this.#zipcodes.set(message.zipcode, (this.#zipcodes.get(message.zipcode) ?? 0) + 1);
    if (message.device_id === undefined) return;
    connection.deviceId = message.device_id;
    const earlier = this.#devices.get(message.device_id);
    this.#devices.set(message.device_id, connection);
    earlier?.close('replaced', 'this device_id identified on a newer connection');
  }

  lineRefused(connection: Connection, code: Code, line: LineBytes): void {
    this.#onRefusedLine?.(connection, code, line);
  }

  dropped(): void {
    this.#warnDropped();
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection);
    lower(this.#perAddress, connection.remoteAddress);
    if (!connection.identified) return;
    this.counters.identified--;
    lower(this.#zipcodes, connection.frame.zipcode);
    const { deviceId } = connection;
    if (deviceId !== undefined && this.#devices.get(deviceId) === connection) this.#devices.delete(deviceId);
  }

  #accept(socket: Socket): void {
    // From its first tick: one reset without a listener would end the process.
    socket.on('error', () => socket.destroy());
    const address = socket.remoteAddress;
    // Gone before it was looked at.
    if (address === undefined) {
      socket.destroy();
      return;
    }
    if (this.#connections.size >= this.options.maxConnections) {
      this.#refuse(socket, 'the server has as many connections as it takes');
      return;
    }
    const fromAddress = this.#perAddress.get(address) ?? 0;
    if (this.options.maxConnectionsPerIp > 0 && fromAddress >= this.options.maxConnectionsPerIp) {
      this.#refuse(socket, 'this address has as many connections as it may');
      return;
    }
    this.#perAddress.set(address, fromAddress + 1);
    this.counters.connectionsAccepted++;
    this.#connections.add(new Connection(this, socket));
  }

  #refuse(socket: Socket, reason: string): void {
    this.counters.refused.server_full++;
    this.#warnFull();
    if (this.#refusedSockets.size >= MAX_REFUSED_SOCKETS) {
      socket.destroy();
      return;
    }
    this.#refusedSockets.add(socket);
    const timer = setTimeout(() => socket.destroy(), REFUSED_LINGER_MS);
    timer.unref();
    socket.on('close', () => {
      clearTimeout(timer);
      this.#refusedSockets.delete(socket);
    });
    socket.resume();
    socket.end(replies.refused('server_full', reason));
  }
}

function lower(counts: Map<string, number>, key: string): void {
  const count = counts.get(key) ?? 0;
  if (count <= 1) counts.delete(key);
  else counts.set(key, count - 1);
}
