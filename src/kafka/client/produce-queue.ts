// The queue of Produce requests to one broker. It chooses the connection and keeps the order. A request waits while there
// is no connection, while the broker throttles us, and while an older connection has a request of the same partition.
// It never limits how many requests wait: the sender does.
//
// Before a login ends, the queue opens a new connection for the next requests, and the old one drains. No request in
// flight is lost by that.
import type { ProduceAnswer, ProduceRequest } from '../wire/produce-request.ts';
import { ClusterError } from './cluster-error.ts';
import {
  type ProduceConnection,
  type ProduceConnectionEvents,
  sharePartition,
} from './produce-connection.ts';

export interface ProduceQueueOptions {
  /** Rejects with ClusterError. */
  connect(events: ProduceConnectionEvents): Promise<ProduceConnection>;
  /** The broker makes us wait `ms` milliseconds longer than was announced before. */
  throttled(ms: number): void;
  /** As ProduceConnectionEvents.clock. */
  clock?(offsetMs: number): void;
  /** As ProduceConnectionEvents.answered. */
  answered?(ms: number): void;
  /** As ProduceConnectionEvents.timedOut. */
  timedOut?(): void;
}

/**
 * Upper bound of the wait that one answer can ask for. Brokers may ask for minutes if we are far above the quota. A wrong
 * number must not stop us for weeks.
 */
const MAX_THROTTLE_MS = 5 * 60_000;
/** Pause before another try to replace a connection whose login ends. */
const RENEW_AGAIN_AFTER_MS = 1000;
/** Brokers, firewalls and load balancers drop connections that were silent for 4 minutes or more, some without notice. */
const MAX_IDLE_MS = 3 * 60_000;

interface Waiting {
  readonly request: ProduceRequest;
  resolve(answer: Promise<ProduceAnswer | undefined>): void;
  reject(error: Error): void;
}

export class ProduceQueue {
  readonly #options: ProduceQueueOptions;
  #connection: ProduceConnection | undefined;
  #connecting: Promise<void> | undefined;
  readonly #draining = new Set<ProduceConnection>();
  #waiting: Waiting[] = [];
  /** Monotonic milliseconds, like all times here. */
  #throttledUntilMs = 0;
  #renewNotBeforeMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ProduceQueueOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#connection?.isOpen ?? false;
  }

  get isThrottled(): boolean {
    return performance.now() < this.#throttledUntilMs;
  }

  /** Resolves with the answer, or with undefined if acks is 0; rejects with ClusterError if there is none. */
  produce(request: ProduceRequest): Promise<ProduceAnswer | undefined> {
    if (this.#waiting.length === 0) {
      const connection = this.#ready(request);
      if (connection !== undefined) return connection.send(request);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#pump();
    });
  }

  /** Resolves when there is a usable connection; rejects with ClusterError. */
  async connected(): Promise<void> {
    if (this.#usable() === undefined) await this.#connect();
  }

  /** Resolves when no byte of the requests that were sent waits in this process. */
  async written(): Promise<void> {
    await Promise.all([this.#connection, ...this.#draining].map((connection) => connection?.written()));
  }

  /** Drops every connection. Requests in flight or waiting are rejected. */
  close(reason: string): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#rejectWaiting(new ClusterError('UNREACHABLE', reason));
    for (const connection of [this.#connection, ...this.#draining]) connection?.close(reason);
  }

  #pump(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const connection = this.#ready(next.request);
      if (connection === undefined) return;
      this.#waiting.shift();
      next.resolve(connection.send(next.request));
    }
  }

  /** The connection for this request, if it can be sent now. Otherwise the event that ends the wait calls #pump. */
  #ready(request: ProduceRequest): ProduceConnection | undefined {
    const throttledMs = this.#throttledUntilMs - performance.now();
    if (throttledMs > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#pump();
      }, Math.ceil(throttledMs)).unref();
      return undefined;
    }
    const connection = this.#usable();
    if (connection === undefined) {
      // A failure rejects the waiting requests.
      this.#connect().catch(() => undefined);
      return undefined;
    }
    // Keep the order: an older connection still has a request of this partition.
    for (const old of this.#draining) if (old.sharesPartition(request)) return undefined;
    return connection;
  }

  #usable(): ProduceConnection | undefined {
    const connection = this.#connection;
    if (connection === undefined) return undefined;
    const now = performance.now();
    const { renewAtMs, endsAtMs } = connection.session;
    if (now >= endsAtMs || (connection.isIdle && now - connection.lastUsedAtMs >= MAX_IDLE_MS)) {
      this.#connection = undefined;
      this.#drain(connection);
      return undefined;
    }
    if (now >= renewAtMs && now >= this.#renewNotBeforeMs) this.#connect().catch(() => undefined);
    return connection;
  }

  /** Callers at the same time share one attempt. */
  #connect(): Promise<void> {
    if (this.#closed) return Promise.reject(new ClusterError('UNREACHABLE', 'the client is closed'));
    this.#connecting ??= this.#options
      .connect({
        throttled: (ms) => this.#throttle(ms),
        clock: (offsetMs) => this.#options.clock?.(offsetMs),
        answered: (ms) => this.#options.answered?.(ms),
        timedOut: () => this.#options.timedOut?.(),
        closed: (connection, unsettled) => this.#lost(connection, unsettled),
      })
      .then(
        (connection) => this.#adopt(connection),
        (error: Error) => {
          this.#connecting = undefined;
          this.#renewNotBeforeMs = performance.now() + RENEW_AGAIN_AFTER_MS;
          if (this.#connection === undefined) this.#rejectWaiting(error);
          throw error;
        },
      );
    return this.#connecting;
  }

  #adopt(connection: ProduceConnection): void {
    this.#connecting = undefined;
    if (this.#closed) {
      connection.close('the client is closed');
      throw new ClusterError('UNREACHABLE', 'the client is closed');
    }
    if (!connection.isOpen) {
      const error = new ClusterError('CLOSED', 'the broker closed the connection right after the login');
      this.#rejectWaiting(error);
      throw error;
    }
    const old = this.#connection;
    this.#connection = connection;
    if (old !== undefined) this.#drain(old);
    this.#pump();
  }

  #drain(connection: ProduceConnection): void {
    this.#draining.add(connection);
    connection.drain();
  }

  #lost(connection: ProduceConnection, unsettled: readonly ProduceRequest[]): void {
    this.#draining.delete(connection);
    if (connection === this.#connection) this.#connection = undefined;
    // The broker may or may not have the lost batch, so a later batch of its partition must not overtake its retry.
    const error = new ClusterError(
      'UNREACHABLE',
      'not sent, because an earlier request of its partition failed',
    );
    this.#rejectWaiting(error, ({ request }) => unsettled.some((lost) => sharePartition(lost, request)));
    // In a later turn, so that the owners of the failed requests hear of the failure first.
    if (!this.#closed && this.#waiting.length > 0) setImmediate(() => this.#pump());
  }

  #throttle(askedMs: number): void {
    const now = performance.now();
    const untilMs = now + Math.min(askedMs, MAX_THROTTLE_MS);
    const more = untilMs - Math.max(now, this.#throttledUntilMs);
    if (more <= 0) return;
    this.#throttledUntilMs = untilMs;
    this.#options.throttled(more);
    for (const connection of [this.#connection, ...this.#draining]) connection?.extendLimits(more);
  }

  #rejectWaiting(error: Error, which: (waiting: Waiting) => boolean = () => true): void {
    const rejected = this.#waiting.filter(which);
    this.#waiting = this.#waiting.filter((waiting) => !rejected.includes(waiting));
    for (const { reject } of rejected) reject(error);
  }
}
