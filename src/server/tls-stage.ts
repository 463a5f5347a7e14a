// The TLS handshakes of one process: how many are under way, who is next, and how much of the event loop they take. It
// reads no byte itself: tls-arrival.ts reads the bytes that come before the turn of a connection.
//
// A handshake costs 0.4 to 2 ms, nearly all of it for one signature. Node computes it when it gets the first
// message, so the stage waits for the whole message, and decides when that is.
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { DeviceTls } from '../config/device-tls.ts';
import type { SubjectPart } from '../config/settings.ts';
import { CLOSE_OF_HANDSHAKE } from '../protocol/close-reasons.ts';
import { countsByFailure, type HandshakeFailure } from '../protocol/handshake-failures.ts';
import * as replies from '../protocol/replies.ts';
import { certifiedId } from './certified-id.ts';
import { HandshakeQueue } from './handshake-queue.ts';
import type { Admitted, Arrival, Stage, StageHost } from './stage.ts';
import { NOT_SCHEDULED, type TimerOwner } from './timer-wheel.ts';
import { TlsArrival, type TlsArrivalHost } from './tls-arrival.ts';
import { TlsSource } from './tls-source.ts';

export interface TlsStageOptions {
  /** Handshakes that may be under way at once in this process. */
  readonly maxHandshakes: number;
  /** From the place on until the handshake is done. */
  readonly timeoutMs: number;
  /** The part of a certificate's subject that is the device_id. */
  readonly deviceIdPart: SubjectPart | null;
}

/** Handshakes take this long in one turn of the event loop; a turn without other work is followed by the next at once. */
export const TURN_MS = 1;
/** The second half of a handshake and the objects of its connection. Devices decide when it comes. */
export const SECOND_HALF_MS = 0.2;
/** A handshake that takes longer gives up its place if others wait: its device is silent, or very far. */
const SILENT_MS = 2000;
const SILENT_CHECK_MS = 500;
/** Seconds for which a device may resume its session. */
const SESSION_TIMEOUT_S = 3600;

/** Node sets it to the socket that a TLS socket was made of, and does not document it. */
interface OfSocket {
  readonly _parent?: Socket;
}

export class TlsStage implements Stage<Admitted>, TlsArrivalHost, TimerOwner {
  readonly host: StageHost;
  readonly timeoutMs: number;
  readonly counters = { handshakes: 0, resumed: 0, failures: countsByFailure() };
  wheelSlot = NOT_SCHEDULED;

  readonly #options: TlsStageOptions;
  /** It never listens: sockets are handed to it. */
  readonly #server: Server;
  readonly #all = new Set<TlsArrival>();
  readonly #queue = new HandshakeQueue<TlsArrival>();
  /** Under way, oldest first. */
  readonly #underWay = new Map<Socket, TlsArrival>();
  /** Handshakes began in this turn of the event loop, or will in the next. */
  #isTurnOpen = false;
  /** From then on none begins in this turn. */
  #turnEndsMs = 0;
  /** Second halves in this turn. */
  #secondHalves = 0;
  #isClosed = false;

  constructor(options: TlsStageOptions, { host, isMutual }: { host: StageHost; isMutual: boolean }) {
    this.host = host;
    this.timeoutMs = options.timeoutMs;
    this.#options = options;
    this.#server = createServer({
      allowHalfOpen: true,
      requestCert: isMutual,
      rejectUnauthorized: isMutual,
      // None: the stage has its own time-out. 0 would be that of Node, 120 s.
      handshakeTimeout: -1,
    });
    this.#server.on('secureConnection', (socket) => this.#secured(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#broken(error, socket));
  }

  get size(): number {
    return this.#all.size;
  }

  *arrivals(): Iterable<Arrival> {
    for (const { arrival } of this.#all) yield arrival;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** From now on handshakes use these. Connections that are open or in a handshake are not touched. */
  use({ context }: DeviceTls, ticketKeys: Buffer): void {
    const session = { ticketKeys, sessionIdContext: 'sluice', sessionTimeout: SESSION_TIMEOUT_S };
    this.#server.setSecureContext({ ...context, ...session });
  }

  enter(arrival: Arrival, leave: (result: Admitted | undefined) => void): void {
    const one = new TlsArrival(this, arrival, leave);
    this.#all.add(one);
    if (this.#isClosed) one.close();
  }

  close(): void {
    this.#isClosed = true;
    this.host.wheel.cancel(this);
    for (const one of this.#all) one.close();
  }

  // --- called by connections ---

  ready(one: TlsArrival): void {
    if (this.#queue.size === 0 && this.#hasRoom && this.#hasTime()) {
      this.#begin(one);
      return;
    }
    this.#queue.add(one);
    one.wait();
    this.#start();
  }

  failed(one: TlsArrival, reason: HandshakeFailure, closeReason = CLOSE_OF_HANDSHAKE[reason]): void {
    if (reason === 'gone' && one.arrival.isLocal) {
      this.#settled(one);
      return;
    }
    this.counters.failures[reason]++;
    this.host.counters.closed[closeReason]++;
    // A connection that ends before it has begun a handshake is a health check or a scan.
    const isQuiet = reason === 'gone' && one.socket === undefined;
    if (!isQuiet) this.host.abuseLog.handshake(reason, one.arrival.address);
    this.#settled(one);
  }

  closed(one: TlsArrival): void {
    this.#settled(one);
    if (this.#all.delete(one)) one.leave(undefined);
  }

  /** Every SILENT_CHECK_MS while connections wait for a place. */
  onTimer(nowMs: number): void {
    let wanted = this.#queue.size;
    for (const one of this.#underWay.values()) {
      if (wanted-- <= 0 || nowMs - one.startedAtMs < SILENT_MS) break;
      this.host.counters.refused.handshake_timeout++;
      one.fail('timeout');
    }
    this.#start();
  }

  // --- handshakes ---

  get #hasRoom(): boolean {
    return this.#underWay.size < this.#options.maxHandshakes;
  }

  /** True if a handshake may begin in this turn of the event loop. */
  #hasTime(): boolean {
    this.#openTurn(TURN_MS);
    return performance.now() < this.#turnEndsMs;
  }

  /** Those that wait begin in the next turn, if there is room. */
  #start(): void {
    if (this.#queue.size === 0 || this.#isClosed) return;
    if (this.#hasRoom) this.#openTurn(TURN_MS);
    else if (this.wheelSlot === NOT_SCHEDULED) this.host.wheel.schedule(this, SILENT_CHECK_MS);
  }

  #openTurn(ms: number): void {
    if (this.#isTurnOpen) return;
    this.#isTurnOpen = true;
    this.#turnEndsMs = performance.now() + ms;
    setImmediate(() => {
      this.#isTurnOpen = false;
      const leftMs = TURN_MS - this.#secondHalves * SECOND_HALF_MS;
      this.#secondHalves = 0;
      if (this.#queue.size > 0 && this.#hasRoom) this.#openTurn(leftMs);
      this.#beginWaiting();
    });
  }

  /** At least one in each turn. */
  #beginWaiting(): void {
    const one = this.#hasRoom ? this.#queue.next() : undefined;
    if (one === undefined) {
      this.#start();
      return;
    }
    this.#begin(one);
    // Node computes the signature on the next tick.
    process.nextTick(() => {
      if (performance.now() < this.#turnEndsMs) this.#beginWaiting();
    });
  }

  #begin(one: TlsArrival): void {
    one.handshake((socket) => {
      this.#underWay.set(socket, one);
      this.#server.emit('connection', socket);
    });
  }

  #secured(socket: TLSSocket): void {
    this.#openTurn(TURN_MS);
    this.#secondHalves++;
    const one = this.#of(socket);
    if (one === undefined || one.state !== 'handshake') {
      socket.destroy();
      return;
    }
    // A full handshake checks the certificate. A session is resumed without a look at its time.
    const isResumed = socket.isSessionReused();
    if (isResumed && hasExpired(socket)) {
      one.fail('certificate');
      return;
    }
    // TLS 1.2 lets a device ask for further handshakes, which nobody would count.
    socket.disableRenegotiation();
    this.#settled(one);
    const { deviceIdPart } = this.#options;
    const source = new TlsSource(socket);
    // A sender of plain lines is no device.
    const isDevice = one.arrival.port.manner.plain === undefined;
    const id = deviceIdPart === null || !isDevice ? undefined : certifiedId(socket, deviceIdPart);
    if (id === null) {
      this.host.counters.refused.unauthorized++;
      const message = `the certificate's subject has no ${deviceIdPart} that is a device_id`;
      one.refuseOver(source, replies.refused('unauthorized', message));
      return;
    }
    this.counters.handshakes++;
    if (isResumed) this.counters.resumed++;
    one.handOver();
    this.#all.delete(one);
    const { id: connectionId, address, port } = one.arrival;
    one.leave({ id: connectionId, source, address, port, certifiedId: id });
  }

  #broken(error: Error, socket: TLSSocket): void {
    this.#of(socket)?.fail(failureOf(error, socket));
    socket.destroy();
  }

  #of(socket: TLSSocket): TlsArrival | undefined {
    const { _parent } = socket as OfSocket;
    return _parent && this.#underWay.get(_parent);
  }

  /** It needs no handshake any more. */
  #settled(one: TlsArrival): void {
    this.#queue.delete(one);
    if (one.socket !== undefined) this.#underWay.delete(one.socket);
    this.#start();
  }
}

/** False without a certificate. */
function hasExpired(socket: TLSSocket): boolean {
  const certificate = socket.getPeerX509Certificate();
  return certificate !== undefined && Date.parse(certificate.validTo) < Date.now();
}

function failureOf(error: Error, socket: TLSSocket): HandshakeFailure {
  const { code } = error as { code?: unknown };
  // Node's types say Error; it is the code of OpenSSL, and null without one.
  if (socket.authorizationError || code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'certificate';
  const isOfDevice = typeof code === 'string' && (code === 'ECONNRESET' || code.includes('ALERT'));
  return isOfDevice ? 'gone' : 'handshake';
}
