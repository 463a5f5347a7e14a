// One logged-in connection to a broker that carries only Produce requests, so that no other request's timeout can end it.
// It owns the socket, and never tries a request again.
//
// - Requests are written in the order of send(). The broker answers in the same order: an answer with another correlation
//   id, or larger than MAX_ANSWER_BYTES, closes the connection.
// - Each request is settled exactly once: with its answer, or with a ClusterError if the outcome is unknown.
// - A request's time limit begins with send(), on a clock that stops while the broker throttles us. One timer watches the
//   oldest request.
// - With acks 0 there is no answer. The request is settled once at most MAX_UNSENT_BYTES wait to be written, so that
//   memory is bounded. If nothing is written within the time limit, the connection is dropped.
import type { Socket } from 'node:net';
import { FrameReader } from '../wire/frame-reader.ts';
import {
  decodeProduceResponse,
  encodeProduceRequest,
  type ProduceAnswer,
  type ProduceRequest,
  THROTTLE_AFTER_ANSWER_SINCE,
} from '../wire/produce-request.ts';
import { ClusterError, type ClusterErrorCode } from './cluster-error.ts';
import type { SaslSession } from './sasl-session.ts';

export interface ProduceConnectionOptions {
  /** Connected and logged in, without other listeners. */
  readonly socket: Socket;
  /** host:port, for messages. */
  readonly address: string;
  /** Version of the Produce request. */
  readonly version: number;
  readonly clientId: string;
  readonly requestTimeoutMs: number;
  readonly session: SaslSession;
}

export interface ProduceConnectionEvents {
  /** The broker will not read from us for this long. Called before the answer that says so is handed out. */
  throttled(ms: number): void;
  /** The broker's clock less ours, as far as it is certain: the time of the answer's way could be on either side. */
  clock?(offsetMs: number): void;
  /** The broker has answered a request. @param ms since it was sent */
  answered?(ms: number): void;
  /** The broker has not answered a request in time, or has not read one. Called before the requests are settled. */
  timedOut?(): void;
  /** The connection has ended. Called once. @param unsettled requests whose outcome is unknown */
  closed(connection: ProduceConnection, unsettled: readonly ProduceRequest[]): void;
}

/** An answer has about 30 bytes for each partition. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_UNSENT_BYTES = 1024 * 1024;
/** The peer closed the connection, or a firewall or load balancer on the way did. */
const CLOSED_CODES = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

interface Sent {
  readonly request: ProduceRequest;
  readonly correlationId: number;
  /** Monotonic milliseconds. */
  readonly sentAtMs: number;
  /** On #limitClock(). */
  startedAtMs: number;
  resolve(answer: ProduceAnswer | undefined): void;
  reject(error: Error): void;
}

export class ProduceConnection {
  readonly session: SaslSession;
  /** Monotonic milliseconds. */
  lastUsedAtMs = performance.now();

  readonly #options: ProduceConnectionOptions;
  readonly #events: ProduceConnectionEvents;
  readonly #frames = new FrameReader(MAX_ANSWER_BYTES);
  #nextCorrelationId = 0;
  /** Requests that wait for an answer, in the order of sending. */
  #unanswered: Sent[] = [];
  /** Requests with acks 0 that wait to be written, in the order of sending. */
  #unwritten: Sent[] = [];
  /** Called when no byte waits to be written any more. */
  #whenWritten: (() => void)[] = [];
  /** The broker reads nothing from us until then, because of a quota. */
  #throttledUntilMs = 0;
  /** For how long #limitClock() was stopped, announced throttling included. */
  #stoppedMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #state: 'open' | 'draining' | 'closed' = 'open';

  constructor(options: ProduceConnectionOptions, events: ProduceConnectionEvents) {
    this.#options = options;
    this.#events = events;
    this.session = options.session;
    const { socket, address } = options;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('end', () => this.#fail('CLOSED', `${address} closed the connection`));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const code = CLOSED_CODES.has(error.code ?? '') ? 'CLOSED' : 'UNREACHABLE';
      this.#fail(code, `the connection to ${address} broke: ${error.message}`, error);
    });
    socket.on('close', () => this.#fail('CLOSED', `the connection to ${address} was closed`));
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** No request waits for an answer or for being written. */
  get isIdle(): boolean {
    return this.#unanswered.length === 0 && this.#unwritten.length === 0;
  }

  /** True if a request that is not settled yet has a batch of the same partition. */
  sharesPartition(request: ProduceRequest): boolean {
    return [...this.#unanswered, ...this.#unwritten].some((sent) => sharePartition(sent.request, request));
  }

  /** Resolves with the answer, or with undefined if acks is 0; rejects with ClusterError if there is none. */
  send(request: ProduceRequest): Promise<ProduceAnswer | undefined> {
    if (this.#state !== 'open') {
      return Promise.reject(new ClusterError('UNREACHABLE', 'the connection is closed'));
    }
    const { clientId, version, requestTimeoutMs } = this.#options;
    const correlationId = this.#nextCorrelationId;
    this.#nextCorrelationId = (correlationId + 1) & 0x7fffffff;
    const parts = encodeProduceRequest(request, { version, correlationId, clientId });
    const sentAtMs = performance.now();
    this.lastUsedAtMs = sentAtMs;
    this.#timer ??= this.#checkIn(requestTimeoutMs);
    return new Promise((resolve, reject) => {
      const startedAtMs = sentAtMs - this.#stoppedMs;
      const sent = { request, correlationId, sentAtMs, startedAtMs, resolve, reject };
      if (request.acks === 0) {
        this.#unwritten.push(sent);
        this.#write(parts, (error) => {
          if (!error) this.#wrote();
        });
        this.#settleWritten();
      } else {
        this.#unanswered.push(sent);
        this.#write(parts);
      }
    });
  }

  /** Gives the requests in flight more time. */
  extendLimits(ms: number): void {
    this.#stoppedMs += ms;
  }

  /** Resolves when no request with acks 0 waits in this process, settled or not, or when the connection has ended. */
  written(): Promise<void> {
    if (this.#state === 'closed' || this.#options.socket.writableLength === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenWritten.push(resolve));
  }

  /** Takes no more requests. Closes when no request is in flight. */
  drain(): void {
    if (this.#state !== 'open') return;
    this.#state = 'draining';
    this.#endIfDrained();
  }

  /** Drops the connection at once. */
  close(reason: string): void {
    this.#fail('UNREACHABLE', reason);
  }

  #limitClock(): number {
    return performance.now() - this.#stoppedMs;
  }

  #write(parts: readonly Buffer[], written?: (error?: Error | null) => void): void {
    const { socket } = this.#options;
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) {
      socket.write(only, written);
      return;
    }
    const last = parts.length - 1;
    socket.cork();
    for (const [i, part] of parts.entries()) socket.write(part, i === last ? written : undefined);
    socket.uncork();
  }

  #wrote(): void {
    // The broker reads again, so the requests that wait get their whole time limit.
    const now = this.#limitClock();
    for (const sent of this.#unwritten) sent.startedAtMs = now;
    this.#settleWritten();
    if (this.#options.socket.writableLength === 0) this.#tellWritten();
  }

  #tellWritten(): void {
    for (const tell of this.#whenWritten.splice(0)) tell();
  }

  #settleWritten(): void {
    if (this.#unwritten.length === 0 || this.#options.socket.writableLength > MAX_UNSENT_BYTES) return;
    const written = this.#unwritten;
    this.#unwritten = [];
    for (const sent of written) sent.resolve(undefined);
    this.#endIfDrained();
  }

  #received(chunk: Buffer): void {
    const size = this.#frames.push(chunk, (body) => this.#onAnswer(body));
    if (size === undefined) return;
    this.#breach(`announced an answer of ${size} bytes, more than the ${MAX_ANSWER_BYTES} that one may have`);
  }

  /** False if the connection was closed because of this answer. */
  #onAnswer(body: Buffer): boolean {
    const [sent] = this.#unanswered;
    const id = body.length < 4 ? undefined : body.readInt32BE(0);
    if (sent === undefined || id !== sent.correlationId) {
      const expected = sent === undefined ? 'none is expected' : `${sent.correlationId} is expected`;
      this.#breach(`sent an answer with the correlation id ${id}, while ${expected}`);
      return false;
    }
    const { version } = this.#options;
    let answer: ProduceAnswer;
    try {
      answer = decodeProduceResponse(body.subarray(4), sent.request.topic, version);
    } catch (error) {
      this.#breach(`sent an answer of ${body.length} bytes that is cut short`, error);
      return false;
    }
    this.#unanswered.shift();
    if (answer.throttleMs > 0 && version >= THROTTLE_AFTER_ANSWER_SINCE) {
      this.#throttledUntilMs = performance.now() + answer.throttleMs;
      this.#events.throttled(answer.throttleMs);
    }
    this.#events.answered?.(performance.now() - sent.sentAtMs);
    // Of a batch that was there already, the answer has the time of the stored copy, and not the present one.
    const isClock = answer.logAppendMs !== undefined && sent.request.mayBeThere !== true;
    if (isClock) this.#noteClock(answer.logAppendMs ?? 0, sent.sentAtMs);
    sent.resolve(answer);
    this.#endIfDrained();
    return this.#state !== 'closed';
  }

  /** The broker read its clock at some time between the request and the answer. */
  #noteClock(brokerMs: number, sentAtMs: number): void {
    const halfMs = (performance.now() - sentAtMs) / 2;
    const offsetMs = brokerMs - (Date.now() - halfMs);
    this.#events.clock?.(Math.sign(offsetMs) * Math.max(0, Math.abs(offsetMs) - halfMs));
  }

  #checkIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#checkLimits(), Math.ceil(ms)).unref();
  }

  #checkLimits(): void {
    this.#timer = undefined;
    const oldest = Math.min(
      this.#unanswered[0]?.startedAtMs ?? Infinity,
      this.#unwritten[0]?.startedAtMs ?? Infinity,
    );
    if (oldest === Infinity) return;
    const leftMs = oldest + this.#options.requestTimeoutMs - this.#limitClock();
    if (leftMs > 0) this.#timer = this.#checkIn(leftMs);
    // If this process was held up, the answer may wait in the socket. Sockets are read before immediates run.
    else setImmediate(() => this.#timeOut());
  }

  #timeOut(): void {
    const { address, requestTimeoutMs } = this.#options;
    const dueMs = this.#limitClock() - requestTimeoutMs;
    const isDue = (sent: Sent) => sent.startedAtMs <= dueMs;
    if (this.#unanswered.some(isDue)) {
      const quota =
        performance.now() < this.#throttledUntilMs ? ', because a quota makes the gateway wait' : '';
      this.#settleDue(isDue, `${address} did not answer within ${requestTimeoutMs} ms${quota}`);
    } else if (this.#unwritten.some(isDue)) {
      this.#settleDue(isDue, `${address} took nothing for ${requestTimeoutMs} ms`);
    } else this.#checkLimits();
  }

  // The connection is dropped: the broker may still handle these requests, and must not get the retries on it as well.
  #settleDue(isDue: (sent: Sent) => boolean, message: string): void {
    const all = [...this.#unanswered, ...this.#unwritten];
    this.#unanswered = all.filter((sent) => !isDue(sent));
    this.#unwritten = [];
    const due = all.filter(isDue);
    const error = new ClusterError('TIMEOUT', message);
    this.#events.timedOut?.();
    for (const sent of due) sent.reject(error);
    this.#fail('UNREACHABLE', `the connection was dropped, because ${message}`, error, due);
  }

  #breach(what: string, cause?: unknown): void {
    this.#fail('PROTOCOL', `${this.#options.address} ${what}: the connection was closed`, cause);
  }

  #endIfDrained(): void {
    if (this.#state !== 'draining' || !this.isIdle) return;
    const { socket, requestTimeoutMs } = this.#options;
    if (socket.writableLength === 0) socket.destroy();
    else {
      // With acks 0 bytes may still wait: end() writes them first. The timer gives up a peer that never reads.
      socket.end();
      socket.unref();
      const timer = setTimeout(() => socket.destroy(), requestTimeoutMs).unref();
      socket.once('close', () => clearTimeout(timer));
    }
    this.#finish([]);
  }

  #fail(code: ClusterErrorCode, message: string, cause?: unknown, settled: readonly Sent[] = []): void {
    if (this.#state === 'closed') return;
    const lost = [...this.#unanswered, ...this.#unwritten];
    this.#unanswered = [];
    this.#unwritten = [];
    this.#options.socket.destroy();
    const error = new ClusterError(code, message, { cause });
    for (const sent of lost) sent.reject(error);
    this.#finish([...settled, ...lost].map(({ request }) => request));
  }

  #finish(unsettled: readonly ProduceRequest[]): void {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    this.#tellWritten();
    this.#events.closed(this, unsettled);
  }
}

export function sharePartition(a: ProduceRequest, b: ProduceRequest): boolean {
  if (a.topic !== b.topic) return false;
  const partitions = new Set(a.batches.map(({ partition }) => partition));
  return b.batches.some(({ partition }) => partitions.has(partition));
}
