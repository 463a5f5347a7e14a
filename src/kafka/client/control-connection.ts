// One connection to a broker for all requests except Produce. It is a connection of kafkajs with our time limits. A
// timeout never cuts off the other requests on the connection: its owner retires it, and it closes after them.
import { type BrokerVersions, chooseVersion } from './api-versions.ts';
import { AnswerError, ClusterError, within } from './cluster-error.ts';
import type { ControlApi, ControlApis } from './control-apis.ts';
import {
  askBroker,
  destroyBroker,
  endOf,
  isBrokerConnected,
  isBrokersAnswer,
  type KafkaBroker,
  throttledForMs,
} from './kafkajs.ts';
import type { SaslSession } from './sasl-session.ts';
import { tlsAdvice } from './tls-advice.ts';

export interface ConnectionParts {
  /** host:port, for messages. */
  readonly address: string;
  readonly versions: BrokerVersions;
  readonly session: SaslSession;
  /** KAFKA_SASL_MECHANISM is set. */
  readonly isLoggedIn: boolean;
}

const MAX_THROTTLE_MS = 60_000;
const WANTS_LOGIN =
  'the connection was closed at the first request. A listener that wants a login does that: set KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, or name the port of a listener without SASL';

export class ControlConnection {
  readonly #broker: KafkaBroker;
  readonly #parts: ConnectionParts;
  #asking = 0;
  #hasAnswered = false;
  #retired = false;

  constructor(broker: KafkaBroker, parts: ConnectionParts) {
    this.#broker = broker;
    this.#parts = parts;
  }

  get address(): string {
    return this.#parts.address;
  }

  /** The versions of each request that the broker speaks. */
  get versions(): BrokerVersions {
    return this.#parts.versions;
  }

  get isConnected(): boolean {
    return !this.#retired && isBrokerConnected(this.#broker);
  }

  /** Connected, and the login does not end soon. */
  get isUsable(): boolean {
    return this.isConnected && performance.now() < this.#parts.session.renewAtMs;
  }

  /** Rejects with AnswerError if the broker answers the whole request with an error, else with ClusterError. */
  async ask<A extends ControlApi>(
    api: A,
    payload: ControlApis[A]['payload'],
    timeoutMs: number,
  ): Promise<ControlApis[A]['answer']> {
    const version = chooseVersion(this.#parts.versions, api, this.address);
    this.#asking++;
    // kafkajs holds the request back for so long.
    const throttledMs = Math.min(throttledForMs(this.#broker), MAX_THROTTLE_MS);
    const quota = throttledMs > 0 ? ', which makes the gateway wait because of a quota,' : '';
    try {
      const asked = askBroker(this.#broker, api, { version, payload });
      const answer = await within(
        timeoutMs + throttledMs,
        asked,
        `${this.address}${quota} did not answer ${api}`,
      );
      this.#hasAnswered = true;
      return answer;
    } catch (error) {
      throw this.#asError(error);
    } finally {
      this.#asking--;
      if (this.#retired && this.#asking === 0) this.destroy();
    }
  }

  #asError(error: unknown): Error {
    // A listener with logins closes the connection of a client that asks something else first.
    const { isEnded } = endOf(this.#broker);
    if (this.#hasAnswered || this.#parts.isLoggedIn || !isEnded) return asClusterError(error, this.address);
    return new ClusterError('CLOSED', `${this.address}: ${WANTS_LOGIN}`, { cause: error });
  }

  /** Takes no more requests. Closes when no request is in flight; each has a time limit. */
  retire(): void {
    this.#retired = true;
    if (this.#asking === 0) this.destroy();
  }

  /** Drops the connection at once. Requests in flight are rejected. */
  destroy(): void {
    this.#retired = true;
    destroyBroker(this.#broker, new ClusterError('UNREACHABLE', 'the connection was dropped'));
  }
}

/** The control connection to one address. It is opened when needed, and replaced when it is not usable any more. */
export class ControlSlot {
  readonly #connect: () => Promise<ControlConnection>;
  #connection: ControlConnection | undefined;
  #connecting: Promise<ControlConnection> | undefined;
  #closed = false;

  constructor(connect: () => Promise<ControlConnection>) {
    this.#connect = connect;
  }

  get isConnected(): boolean {
    return this.#connection?.isConnected ?? false;
  }

  async get(): Promise<ControlConnection> {
    if (this.#connection?.isUsable) return this.#connection;
    this.retire();
    // Callers share one attempt: with two, nobody would hold and close the connection of the first.
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    const connection = await this.#connecting;
    if (this.#closed) {
      connection.destroy();
      throw new ClusterError('UNREACHABLE', 'the connection was dropped');
    }
    this.#connection = connection;
    return connection;
  }

  /** The next request gets a new connection. */
  retire(): void {
    this.#connection?.retire();
    this.#connection = undefined;
  }

  close(): void {
    this.#closed = true;
    this.#connection?.destroy();
    this.#connection = undefined;
  }
}

export function asClusterError(error: unknown, address: string): Error {
  if (error instanceof ClusterError || error instanceof AnswerError) return error;
  if (isBrokersAnswer(error)) return new AnswerError(codeOf(error), `${address}: ${error.message}`);
  const code = (error as { readonly code?: unknown } | null)?.code;
  const message = tlsAdvice(code) ?? (error instanceof Error ? error.message : String(error));
  return new ClusterError('UNREACHABLE', `${address}: ${message}`, { cause: error });
}

/** Kafka's error code of a broker's answer. */
export function codeOf(error: Error): number {
  return (error as Error & { readonly code?: number }).code ?? -1;
}
