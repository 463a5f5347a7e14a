// The TCP port of one process: accepts connections, asks for a place for each, and hands those that get one to the taker.
// It counts no caps and never reads from a connection.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import { rateLimited } from '../log/rate-limited-log.ts';
import type { FatalCode } from '../protocol/codes.ts';
import * as replies from '../protocol/replies.ts';
import { countsByReason, SERVER_FULL, type ServerFullReason } from '../protocol/server-full.ts';
import { INHERITED } from './listening-handle.ts';

export interface AcceptorOptions {
  /** Sockets that this process may have open. */
  readonly maxSockets: number;
  /** Idle time before TCP keepalive probes, 0 = off. */
  readonly keepaliveMs: number;
}

export interface AcceptorDeps {
  readonly log: Logger;
  /** True while no descriptor is left for devices. */
  readonly exhausted?: () => boolean;
  /** Asks for a place. The answer is one call of admit() or refuse(), at once or later. */
  readonly ask: (number: number, address: string) => void;
  /** Takes over a socket from which nothing was read. released() tells of its end. */
  readonly take: (socket: Socket, number: number) => void;
  /** A connection that asked has gone, so its place is free. */
  readonly gone: (number: number) => void;
}

/** A port of its own, or the descriptors of INHERITED. */
export type ListenOn = { readonly host: string; readonly port: number } | 'inherited';

/** Connections that may wait for an answer. */
const MAX_ASKING = 4096;
/** Checks, one a second, after which a connection without an answer is refused. */
const MAX_ASKING_CHECKS = 10;
const CHECK_MS = 1000;
/** Refused connections that stay open to be told why. Further ones are closed without a reply. */
const MAX_REFUSED_SOCKETS = 128;
const REFUSED_LINGER_MS = 1000;
/** The kernel takes net.core.somaxconn if that is lower. */
const BACKLOG = 65_535;
const WARNING_EVERY_MS = 10_000;

interface Asking {
  readonly socket: Socket;
  readonly sinceCheck: number;
}

interface Delayed {
  readonly socket: Socket;
  readonly timer: NodeJS.Timeout;
}

export class Acceptor {
  /** Connections since the start: taken, and turned away. */
  readonly counters = { accepted: 0, refused: countsByReason() };

  readonly #options: AcceptorOptions;
  readonly #deps: AcceptorDeps;
  readonly #servers: Server[] = [];
  readonly #asking = new Map<number, Asking>();
  /** Connections that have a place, and wait because of the rate of their address. */
  readonly #delayed = new Map<number, Delayed>();
  readonly #refusedSockets = new Set<Socket>();
  readonly #warnRefused: () => void;
  readonly #checkTimer: NodeJS.Timeout;
  #check = 0;
  #nextNumber = 0;
  #taken = 0;
  #latestReason: ServerFullReason = 'connections';

  constructor(options: AcceptorOptions, deps: AcceptorDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#warnRefused = rateLimited({ everyMs: WARNING_EVERY_MS }, (count) =>
      deps.log.warn({ count, reason: SERVER_FULL[this.#latestReason] }, 'Connection refused: server full'),
    );
    this.#checkTimer = setInterval(() => this.#refuseLate(), CHECK_MS);
    this.#checkTimer.unref();
  }

  /** Connections that are accepted and not served yet. */
  get waiting(): number {
    return this.#asking.size + this.#delayed.size;
  }

  /** Resolves with the address of the port; rejects with the system's error (EADDRINUSE, EACCES). */
  async listen(on: ListenOn): Promise<AddressInfo> {
    if (on !== 'inherited') return this.#listen((server) => server.listen({ ...on, backlog: BACKLOG }));
    const { firstFd, copies } = INHERITED;
    const fds = Array.from({ length: copies }, (_, n) => firstFd + n);
    // Node ignores a `backlog` beside `fd`.
    const all = fds.map((fd) => this.#listen((server) => server.listen({ fd }, BACKLOG)));
    const [address] = await Promise.all(all);
    return address as AddressInfo;
  }

  /** The connection has its place, and is served after `afterMs`. */
  admit(number: number, afterMs: number): void {
    const asking = this.#asking.get(number);
    if (asking === undefined) return;
    this.#asking.delete(number);
    const { socket } = asking;
    if (afterMs === 0) {
      this.#take(number, socket);
      return;
    }
    const timer = setTimeout(() => {
      this.#delayed.delete(number);
      this.#take(number, socket);
    }, afterMs);
    this.#delayed.set(number, { socket, timer });
  }

  /** There is no place for the connection. */
  refuse(number: number, reason: ServerFullReason): void {
    const asking = this.#asking.get(number);
    if (asking === undefined) return;
    this.#asking.delete(number);
    this.#refuse(asking.socket, reason);
  }

  /** A connection that was taken has ended. */
  released(): void {
    this.#taken--;
  }

  /** Accepts no further connection. Those that have a place are taken at once, the others are refused. */
  stop(): void {
    clearInterval(this.#checkTimer);
    for (const server of this.#servers) if (server.listening) server.close();
    for (const [number, { socket, timer }] of this.#delayed) {
      clearTimeout(timer);
      this.#take(number, socket);
    }
    this.#delayed.clear();
    for (const number of [...this.#asking.keys()]) this.#giveUp(number, 'stopping');
  }

  /** Ends the refused connections that are still open. */
  close(): void {
    this.stop();
    for (const socket of this.#refusedSockets) socket.destroy();
  }

  #listen(start: (server: Server) => void): Promise<AddressInfo> {
    const { keepaliveMs } = this.#options;
    const server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: keepaliveMs > 0,
      keepAliveInitialDelay: keepaliveMs,
      // The taker reads from the handle (device-reader.ts): no byte may be read here.
      pauseOnConnect: true,
    });
    server.on('connection', (socket) => this.#accept(socket));
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.once('listening', () => {
        server.off('error', reject);
        server.on('error', (error) => this.#deps.log.error({ err: error }, 'TCP listener failed'));
        resolve(server.address() as AddressInfo);
      });
      start(server);
    });
  }

  #accept(socket: Socket): void {
    // From the first tick: a reset without a listener would end the process.
    socket.on('error', () => socket.destroy());
    const address = socket.remoteAddress;
    // The device has gone already.
    if (address === undefined) {
      socket.destroy();
      return;
    }
    if (this.#deps.exhausted?.() || this.#taken + this.waiting >= this.#options.maxSockets)
      this.#refuse(socket, 'connections');
    else if (this.#asking.size >= MAX_ASKING) this.#refuse(socket, 'overload');
    else this.#ask(socket, address);
  }

  #ask(socket: Socket, address: string): void {
    const number = this.#nextNumber++;
    this.#asking.set(number, { socket, sinceCheck: this.#check });
    socket.once('close', () => this.#forget(number));
    this.#deps.ask(number, address);
  }

  #take(number: number, socket: Socket): void {
    this.counters.accepted++;
    this.#taken++;
    this.#deps.take(socket, number);
  }

  /** A waiting socket has been closed. */
  #forget(number: number): void {
    clearTimeout(this.#delayed.get(number)?.timer);
    if (this.#asking.delete(number) || this.#delayed.delete(number)) this.#deps.gone(number);
  }

  #giveUp(number: number, reason: ServerFullReason): void {
    this.refuse(number, reason);
    this.#deps.gone(number);
  }

  /** Counts checks, not time: after a stall of this process the answers are read first. */
  #refuseLate(): void {
    this.#check++;
    for (const [number, { sinceCheck }] of this.#asking) {
      if (this.#check - sinceCheck <= MAX_ASKING_CHECKS) return;
      this.#giveUp(number, 'overload');
    }
  }

  #refuse(socket: Socket, reason: ServerFullReason): void {
    this.counters.refused[reason]++;
    this.#latestReason = reason;
    this.#warnRefused();
    if (this.#refusedSockets.size >= MAX_REFUSED_SOCKETS || this.#deps.exhausted?.()) {
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
    socket.end(replies.refused(code, SERVER_FULL[reason]));
  }
}

export function acceptorOptions(settings: Settings, maxSockets: number): AcceptorOptions {
  return { maxSockets, keepaliveMs: settings.TCP_KEEPALIVE };
}

export function addressText({ address, family, port }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}
