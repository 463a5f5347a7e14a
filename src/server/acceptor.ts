// The TCP port: accepts connections within the caps and hands each to its taker. It never reads from a connection.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import { rateLimited } from '../log/rate-limited-log.ts';
import type { FatalCode } from '../protocol/codes.ts';
import * as replies from '../protocol/replies.ts';
import { connectionCap, openFilesLimit } from './limits.ts';

export interface AcceptorOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly maxConnections: number;
  /** 0 = no cap. */
  readonly maxConnectionsPerIp: number;
  /** Idle time before TCP keepalive probes, 0 = off. */
  readonly keepaliveMs: number;
}

/**
 * Takes over a socket from which nothing was read, and calls `released(address)` when the connection has ended. False if
 * nobody can take it.
 */
export type SocketTaker = (socket: Socket, address: string) => boolean;

/** So many refused connections may be open to be told why. Further ones are closed without a reply. */
const MAX_REFUSED_SOCKETS = 256;
const REFUSED_LINGER_MS = 1000;
const BACKLOG = 4096;
const WARNING_EVERY_MS = 10_000;

export class Acceptor {
  readonly options: AcceptorOptions;
  /** Connections since the start: taken, and turned away. */
  readonly counters = { accepted: 0, refused: 0 };

  readonly #log: Logger;
  readonly #server: Server;
  readonly #perAddress = new Map<string, number>();
  readonly #refusedSockets = new Set<Socket>();
  readonly #warnFull: () => void;
  #active = 0;

  constructor(options: AcceptorOptions, log: Logger) {
    this.options = options;
    this.#log = log;
    this.#server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: options.keepaliveMs > 0,
      keepAliveInitialDelay: options.keepaliveMs,
      // The taker reads from the handle (device-reader.ts), perhaps in another process: no byte may be read here.
      pauseOnConnect: true,
    });
    this.#warnFull = rateLimited({ everyMs: WARNING_EVERY_MS }, (count) =>
      this.#log.warn({ count, maximum: options.maxConnections }, 'Connection refused: server full'),
    );
  }

  /** Connections that were taken and are not released. */
  get active(): number {
    return this.#active;
  }

  /**
   * Resolves with the address of the port; rejects with the system's error (EADDRINUSE, EACCES).
   * @param take gets each connection that the caps allow
   */
  listen(take: SocketTaker): Promise<AddressInfo> {
    this.#server.on('connection', (socket) => this.#accept(socket, take));
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.options.host, port: this.options.port, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#log.error({ err: error }, 'TCP listener failed'));
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  /** A connection from this address has ended. */
  released(address: string): void {
    this.#active--;
    const count = this.#perAddress.get(address) ?? 0;
    if (count <= 1) this.#perAddress.delete(address);
    else this.#perAddress.set(address, count - 1);
  }

  /** Accepts no further connection. */
  stop(): void {
    if (this.#server.listening) this.#server.close();
  }

  /** Ends the refused connections that are still open. */
  close(): void {
    this.stop();
    for (const socket of this.#refusedSockets) socket.destroy();
  }

  #accept(socket: Socket, take: SocketTaker): void {
    // From the first tick: a reset without a listener would end the process.
    socket.on('error', () => socket.destroy());
    const address = socket.remoteAddress;
    // The device has gone already.
    if (address === undefined) {
      socket.destroy();
      return;
    }
    const { maxConnections, maxConnectionsPerIp } = this.options;
    if (this.#active >= maxConnections) {
      this.#refuse(socket, 'the server has as many connections as it takes');
      return;
    }
    const fromAddress = this.#perAddress.get(address) ?? 0;
    if (maxConnectionsPerIp > 0 && fromAddress >= maxConnectionsPerIp) {
      this.#refuse(socket, 'this address has as many connections as it may');
      return;
    }
    this.#perAddress.set(address, fromAddress + 1);
    this.#active++;
    if (take(socket, address)) {
      this.counters.accepted++;
      return;
    }
    this.released(address);
    this.#refuse(socket, 'the server is not ready for connections');
  }

  #refuse(socket: Socket, reason: string): void {
    this.counters.refused++;
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
    const code: FatalCode = 'server_full';
    socket.end(replies.refused(code, reason));
  }
}

/** @param processes share the connections; each has its own limit on open files */
export function acceptorOptions(
  settings: Settings,
  { processes, log }: { processes: number; log: Logger },
): AcceptorOptions {
  const asked = settings.TCP_MAX_CONNECTIONS;
  const limit = openFilesLimit();
  const maxConnections = Math.min(asked, processes * connectionCap(asked, limit));
  const lowered = 'TCP_MAX_CONNECTIONS lowered: the limit on open files (ulimit -n) allows no more';
  if (maxConnections < asked) log.warn({ asked, maxConnections }, lowered);
  return {
    host: settings.TCP_HOST,
    port: settings.TCP_PORT,
    maxConnections,
    maxConnectionsPerIp: settings.TCP_MAX_CONNECTIONS_PER_IP,
    keepaliveMs: settings.TCP_KEEPALIVE,
  };
}

export function addressText({ address, family, port }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}
