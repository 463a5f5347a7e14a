// The TCP ports of one process: accepts connections, has their PROXY header read, asks for a place for each, and hands
// those that get one to the taker. It counts no caps and reads nothing itself.
import { randomUUID } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Settings } from '../config/settings.ts';
import type { LimitedLines } from '../log/limited-lines.ts';
import type { Log } from '../log/log.ts';
import type { FatalCode } from '../protocol/codes.ts';
import * as replies from '../protocol/replies.ts';
import { countsByReason, SERVER_FULL, type ServerFullReason } from '../protocol/server-full.ts';
import { beat } from '../time/beat.ts';
import { NOBODY } from './byte-source.ts';
import { type ConnectionFacts, factsOfArrival } from './connection-facts.ts';
import { LastReplies } from './last-replies.ts';
import { INHERITED, ListeningHandle } from './listening-handle.ts';
import { PlainSource } from './plain-source.ts';
import { hearsReplies, PLAIN_PORT, type Port } from './port.ts';
import { handleOf } from './socket-handle.ts';
import type { Arrival, Stage } from './stage.ts';

export interface AcceptorOptions {
  /** Sockets that this process may have open. */
  readonly maxSockets: number;
  /** Idle time before TCP keepalive probes, 0 = off. */
  readonly keepaliveMs: number;
}

export interface AcceptorDeps {
  readonly log: Log;
  /** Told of the descriptor of each connection, before exhausted() is asked. */
  readonly hasDescriptor?: (descriptor: number) => void;
  /** True while no descriptor is left for devices. */
  readonly exhausted?: () => boolean;
  /** Comes before the place is asked for, and may change the address. */
  readonly proxy?: Stage<Arrival> | undefined;
  /** Its address is none of those that may connect to its port. It is closed then. */
  readonly untrusted?: (arrival: Arrival) => void;
  /** Asks for a place. The answer is one call of admit() or refuse(), at once or later. */
  readonly ask: (number: number, address: string) => void;
  /** Takes over a connection. released() tells of its end. */
  readonly take: (arrival: Arrival, number: number) => void;
  /** A connection that asked has gone, so its place is free. */
  readonly gone: (number: number) => void;
}

/** A port of its own, or descriptors that INHERITED describes. */
export type ListenOn = { readonly host: string; readonly port: number } | { readonly inheritedFrom: number };

/** Null without this port. */
export interface PortAddresses {
  readonly tcp: AddressInfo | null;
  readonly tls: AddressInfo | null;
  readonly lines: AddressInfo | null;
}

/** Connections that may wait for an answer. */
export const MAX_ASKING = 4096;
/** Checks, one a second, after which a connection without an answer is refused. */
const MAX_ASKING_CHECKS = 10;
/** The kernel takes net.core.somaxconn if that is lower. */
export const BACKLOG = 65_535;

/** For newConnectionId(): a UUID has 36 characters. */
const uuid = Buffer.alloc(36);

interface Asking {
  readonly arrival: Arrival;
  readonly sinceCheck: number;
}

interface Delayed {
  readonly arrival: Arrival;
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
  readonly #lastReplies: LastReplies;
  readonly #lines: LimitedLines;
  readonly #endBeat: () => void;
  #check = 0;
  #nextNumber = 0;
  #taken = 0;

  constructor(options: AcceptorOptions, deps: AcceptorDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#lastReplies = new LastReplies(deps.exhausted);
    this.#lines = deps.log.limited();
    this.#endBeat = beat.follow(() => this.#refuseLate());
  }

  /** Connections that are accepted and not served yet. */
  get waiting(): number {
    const { proxy, place } = this.stages;
    return proxy + place;
  }

  /** Those that wait for their PROXY header, and for their place or the rate of their address. */
  get stages(): { readonly proxy: number; readonly place: number } {
    return { proxy: this.#deps.proxy?.size ?? 0, place: this.#asking.size + this.#delayed.size };
  }

  /** Those in these stages. */
  *arrivals(): Iterable<ConnectionFacts> {
    for (const arrival of this.#deps.proxy?.arrivals() ?? []) yield factsOfArrival('proxy', arrival);
    for (const { arrival } of this.#asking.values()) yield factsOfArrival('place', arrival);
    for (const { arrival } of this.#delayed.values()) yield factsOfArrival('place', arrival);
  }

  /** Resolves with the address of the port; rejects with the system's error (EADDRINUSE, EACCES). */
  async listen(on: ListenOn, port = PLAIN_PORT): Promise<AddressInfo> {
    if ('host' in on) {
      const { forServer } = await ListeningHandle.open(on.host, on.port, this.#options.keepaliveMs);
      return this.#listen(port, (server) => server.listen(forServer, BACKLOG));
    }
    const fds = Array.from({ length: INHERITED.copies }, (_, n) => on.inheritedFrom + n);
    // Node ignores a `backlog` beside `fd`.
    const all = fds.map((fd) => this.#listen(port, (server) => server.listen({ fd }, BACKLOG)));
    const [address] = await Promise.all(all);
    return address as AddressInfo;
  }

  /** The connection has its place, and is served after `afterMs`. */
  admit(number: number, afterMs: number): void {
    const asking = this.#asking.get(number);
    if (asking === undefined) return;
    this.#asking.delete(number);
    const { arrival } = asking;
    if (afterMs === 0) {
      this.#take(number, arrival);
      return;
    }
    const timer = setTimeout(() => {
      this.#delayed.delete(number);
      this.#take(number, arrival);
    }, afterMs);
    this.#delayed.set(number, { arrival, timer });
  }

  /** There is no place for the connection. */
  refuse(number: number, reason: ServerFullReason): void {
    const asking = this.#asking.get(number);
    if (asking === undefined) return;
    this.#asking.delete(number);
    this.#refuse(asking.arrival, reason);
  }

  /** A connection that was taken has ended. */
  released(): void {
    this.#taken--;
  }

  /** Accepts no further connection. Those that have a place are taken at once, the others are refused. */
  stop(): void {
    this.#endBeat();
    for (const server of this.#servers) if (server.listening) server.close();
    this.#deps.proxy?.close();
    for (const [number, { arrival, timer }] of this.#delayed) {
      clearTimeout(timer);
      this.#take(number, arrival);
    }
    this.#delayed.clear();
    for (const number of [...this.#asking.keys()]) this.#giveUp(number, 'stopping');
  }

  /** Ends the refused connections that are still open. */
  close(): void {
    this.stop();
    this.#lastReplies.close();
  }

  #listen(port: Port, start: (server: Server) => void): Promise<AddressInfo> {
    const server = createServer({
      allowHalfOpen: true,
      // The source reads from the handle (device-reader.ts): no byte may be read before.
      pauseOnConnect: true,
    });
    server.on('connection', (socket) => this.#accept(socket, port));
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.once('listening', () => {
        server.off('error', reject);
        server.on('error', (error) => this.#deps.log.write('listener_failed', { err: error }));
        resolve(server.address() as AddressInfo);
      });
      start(server);
    });
  }

  #accept(socket: Socket, port: Port): void {
    const address = socket.remoteAddress;
    // The device has gone already.
    if (address === undefined) {
      socket.destroy();
      return;
    }
    const { hasDescriptor, exhausted, proxy } = this.#deps;
    hasDescriptor?.(descriptorOf(socket));
    const source = new PlainSource(socket, this.#taken);
    const arrival = {
      id: newConnectionId(),
      acceptedAtMs: Math.trunc(performance.now()),
      source,
      address,
      port,
    };
    if (exhausted?.() || this.#taken + this.waiting >= this.#options.maxSockets)
      this.#refuse(arrival, 'connections');
    else if (proxy === undefined) this.#ask(arrival);
    else
      proxy.enter(arrival, (known) => {
        if (known !== undefined) this.#ask(known);
      });
  }

  #ask(arrival: Arrival): void {
    const { trusted } = arrival.port;
    if (trusted !== undefined && !trusted.has(arrival.address)) {
      this.#deps.untrusted?.(arrival);
      arrival.source.destroy();
      return;
    }
    if (this.#asking.size >= MAX_ASKING) {
      this.#refuse(arrival, 'overload');
      return;
    }
    const number = this.#nextNumber++;
    this.#asking.set(number, { arrival, sinceCheck: this.#check });
    this.#deps.ask(number, arrival.address);
    // If the answer came at once, somebody else has the connection.
    if (this.#asking.has(number) || this.#delayed.has(number))
      arrival.source.take({ ...NOBODY, onClose: () => this.#forget(number) });
  }

  #take(number: number, arrival: Arrival): void {
    this.counters.accepted++;
    this.#taken++;
    this.#deps.take(arrival, number);
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

  #refuse({ source, port, address: remoteAddress }: Arrival, reason: ServerFullReason): void {
    this.counters.refused[reason]++;
    this.#lines.write('connections_refused', { reason: SERVER_FULL[reason] });
    const { log } = this.#deps;
    if (log.isDebug) log.write('connection_unserved', { remoteAddress, reason: SERVER_FULL[reason] });
    const code: FatalCode = 'server_full';
    if (hearsReplies(port)) this.#lastReplies.end(source, replies.refused(code, SERVER_FULL[reason]));
    else source.destroy();
  }
}

export function acceptorOptions(settings: Settings, maxSockets: number): AcceptorOptions {
  return { maxSockets, keepaliveMs: settings.TCP_KEEPALIVE };
}

/** @param pids of the server processes, if there are several */
export function logListening(log: Log, { tcp, tls, lines }: PortAddresses, pids?: readonly number[]): void {
  if (tls !== null) log.write('tls_listening', { address: addressText(tls), pids });
  if (lines !== null) log.write('lines_listening', { address: addressText(lines), pids });
  if (tcp !== null) log.write('tcp_listening', { address: addressText(tcp), pids });
}

export function addressText({ address, family, port }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}

/** If Node does not tell, it counts as the last one. */
function descriptorOf(socket: Socket): number {
  return handleOf(socket)?.fd ?? Number.POSITIVE_INFINITY;
}

/** The text of randomUUID() is a chain of 13 pieces of 32 bytes each, which would stay for as long as the connection. */
function newConnectionId(): string {
  uuid.write(randomUUID(), 'latin1');
  return uuid.toString('latin1');
}
