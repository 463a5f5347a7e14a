// One connection to the TLS port until its handshake is done. It reads the first message of the handshake, and then
// waits for the stage to begin the handshake itself. It decides nothing about other connections.
import type { Socket } from 'node:net';
import type { CloseReason } from '../protocol/close-reasons.ts';
import type { HandshakeFailure } from '../protocol/handshake-failures.ts';
import * as replies from '../protocol/replies.ts';
import { addressKey } from './address.ts';
import { type ByteSource, NOBODY, type SourceTaker } from './byte-source.ts';
import { judgeOpening } from './client-hello.ts';
import type { MemoryHolder } from './memory-budget.ts';
import type { Admitted, Arrival, StageHost } from './stage.ts';
import { NOT_SCHEDULED, type TimerOwner } from './timer-wheel.ts';

/** The stage as its connections see it. */
export interface TlsArrivalHost {
  readonly host: StageHost;
  readonly timeoutMs: number;
  /** The first message is here. The stage calls handshake() when it is its turn, perhaps at once. */
  ready(one: TlsArrival): void;
  /** It does not go on, for the reason that was counted. It may still be told why. */
  failed(one: TlsArrival, reason: HandshakeFailure, closeReason?: CloseReason): void;
  /** Nothing is left of it. */
  closed(one: TlsArrival): void;
}

type Leave = (result: Admitted | undefined) => void;
type State = 'opening' | 'ready' | 'handshake' | 'refused' | 'over';
type RefusalCode = 'tls_required' | 'handshake_timeout' | 'wrong_protocol';

/** A refused device has this much time to read why, and may send this many bytes meanwhile. */
const REFUSED_LINGER_MS = 1000;
const REFUSED_LINGER_BYTES = 1024 * 1024;
const EMPTY = Buffer.alloc(0);

export class TlsArrival implements TimerOwner, MemoryHolder, SourceTaker {
  readonly key: string;
  readonly arrival: Arrival;
  readonly leave: Leave;
  wheelSlot = NOT_SCHEDULED;
  chargedBytes = 0;
  sizeClass = -1;
  startedAtMs = 0;
  readonly #stage: TlsArrivalHost;
  readonly #untilMs: number;
  #state: State = 'opening';
  #opening: Buffer = EMPTY;
  #discardedBytes = 0;
  #socket: Socket | undefined;

  /** @param leave called once: with the connection after its handshake, or without if it is closed */
  constructor(stage: TlsArrivalHost, arrival: Arrival, leave: Leave) {
    this.#stage = stage;
    this.arrival = arrival;
    this.leave = leave;
    this.key = addressKey(arrival.address);
    const { wheel } = stage.host;
    this.#untilMs = wheel.nowMs + stage.timeoutMs;
    wheel.schedule(this, stage.timeoutMs);
    arrival.source.take(this);
    arrival.source.resume();
  }

  get state(): State {
    return this.#state;
  }

  /** That of the handshake, once it has begun. */
  get socket(): Socket | undefined {
    return this.#socket;
  }

  /** Gives the socket to the TLS layer, with the bytes that came. */
  handshake(begin: (socket: Socket) => void): void {
    // A device that has just left is gone a moment later (onClose).
    if (this.#state !== 'ready' || this.arrival.source.destroyed) return;
    this.#state = 'handshake';
    this.startedAtMs = this.#stage.host.wheel.nowMs;
    this.#socket = this.arrival.source.detach(this.#opening);
    this.#hold(EMPTY);
    begin(this.#socket);
  }

  /** Its turn has not come. It is read until more than its first message comes, so that the stage hears if it leaves. */
  wait(): void {
    this.#hold(this.#opening);
  }

  /** The handshake is done, and somebody else will have the connection. */
  handOver(): void {
    this.#end('over');
    this.arrival.source.take(NOBODY);
  }

  /** The handshake cannot succeed any more. */
  fail(reason: HandshakeFailure): void {
    if (this.#state === 'refused' || this.#state === 'over') return;
    this.#end('refused');
    this.#stage.failed(this, reason);
    this.#destroy();
  }

  /** Tells the device over TLS that its certificate is refused. */
  refuseOver(source: ByteSource, reply: string): void {
    this.arrival.source.take(NOBODY);
    source.take(this);
    this.#end('refused');
    this.#stage.failed(this, 'certificate', 'unauthorized');
    this.#sayAndLinger(source, reply);
  }

  close(): void {
    this.#end('refused');
    this.#destroy();
  }

  onTimer(nowMs: number): void {
    const { counters, wheel } = this.#stage.host;
    if (this.#state === 'refused') {
      this.#destroy();
    } else if (nowMs < this.#untilMs) {
      wheel.schedule(this, this.#untilMs - nowMs);
    } else if (this.#state === 'opening' && this.#opening.length === 0) {
      this.#refuse('handshake_timeout', `a TLS handshake within ${this.#stage.timeoutMs} ms`, 'timeout');
    } else {
      counters.refused.handshake_timeout++;
      this.fail('timeout');
    }
  }

  // --- called by the memory budget ---

  pauseForMemory(): void {
    if (this.#state === 'opening' || this.#state === 'ready') this.arrival.source.pause();
  }

  resumeForMemory(): void {
    if (this.#state === 'opening') this.arrival.source.resume();
  }

  overloaded(): void {
    const { counters, abuseLog } = this.#stage.host;
    counters.refused.overloaded++;
    abuseLog.limit('overloaded', this.arrival.address);
    this.fail('overloaded');
  }

  // --- called by the source ---

  onBytes(bytes: Uint8Array): void {
    if (this.#state === 'opening') {
      this.#opening = Buffer.concat([this.#opening, bytes]);
      this.#judge();
      return;
    }
    if (this.#state === 'ready') {
      this.arrival.source.pause();
      this.#hold(Buffer.concat([this.#opening, bytes]));
      return;
    }
    this.#discardedBytes += bytes.length;
    if (this.#discardedBytes > REFUSED_LINGER_BYTES) this.#destroy();
  }

  onEnd(): void {
    // A health check, which is no failure.
    if (this.#state === 'opening' && this.#opening.length === 0) this.close();
    else this.fail('gone');
  }

  onClose(): void {
    // A turn later: the TLS layer tells the reason only after the socket has closed.
    if (this.#state === 'handshake') setImmediate(() => this.#closed());
    else this.#closed();
  }

  #judge(): void {
    const opening = judgeOpening(this.#opening);
    switch (opening) {
      case 'more':
        this.#hold(this.#opening);
        break;
      case 'hello':
        this.#state = 'ready';
        this.#stage.ready(this);
        break;
      case 'malformed':
        this.fail('handshake');
        break;
      case 'plain':
        this.#refuse('tls_required', 'this port is for TLS: connect with TLS, or to the plain port', 'plain');
        break;
      default:
        this.#stage.host.wrongProtocol({ remoteAddress: this.arrival.address }, opening.protocol);
        this.#refuse(
          'wrong_protocol',
          `this is a port for lines of JSON over TLS, and these bytes are ${opening.protocol}`,
          'wrong_protocol',
        );
    }
  }

  /** Without TLS, because there was no handshake. */
  #refuse(code: RefusalCode, message: string, reason: HandshakeFailure): void {
    this.#stage.host.counters.refused[code]++;
    this.#end('refused');
    this.#stage.failed(this, reason);
    if (this.arrival.port.manner.plain === undefined)
      this.#sayAndLinger(this.arrival.source, replies.refused(code, message));
    else this.#destroy();
  }

  /** A close with unread input sends a reset, which may overtake the reply. */
  #sayAndLinger(source: ByteSource, reply: string): void {
    source.end(reply);
    source.resume();
    this.#stage.host.wheel.schedule(this, REFUSED_LINGER_MS);
  }

  #closed(): void {
    this.onEnd();
    if (this.#state === 'over') return;
    this.#end('over');
    this.#stage.closed(this);
  }

  #end(state: State): void {
    this.#state = state;
    this.#stage.host.wheel.cancel(this);
    this.#opening = EMPTY;
    this.#stage.host.memory.forget(this);
  }

  #hold(bytes: Buffer): void {
    this.#opening = bytes;
    this.#stage.host.memory.charge(this, bytes.length);
  }

  #destroy(): void {
    if (this.#socket === undefined) this.arrival.source.destroy();
    else this.#socket.destroy();
  }
}
