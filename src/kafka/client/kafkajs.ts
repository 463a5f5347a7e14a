// The only file of the gateway that imports kafkajs (2.2.4), for its connections, TLS, SASL and protocol encoders.
// It imports internal modules of kafkajs and never its producer, which loses records (docs/decisions/0001).
/// <reference path="./kafkajs-modules.d.ts" />
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import Broker from 'kafkajs/src/broker/index.js';
import connectionPoolBuilder from 'kafkajs/src/cluster/connectionPoolBuilder.js';
import Connection from 'kafkajs/src/network/connection.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import protocol from 'kafkajs/src/protocol/requests/index.js';
import type { Log } from '../../log/log.ts';
import { decodeFetchAnswer } from '../wire/fetch-answer.ts';
import type { BrokerVersions } from './api-versions.ts';
import type { ControlApi, ControlApis } from './control-apis.ts';
import { type BearerLogin, TokenRefusedError } from './oauth-bearer.ts';
import { type ControlRequest, isOwn, type OwnApi, ownRequest } from './own-requests.ts';

export interface KafkaClientOptions {
  /** host:port of the brokers to begin with. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Asked for each new connection. Throws ClusterError if there are none that could be used. */
  readonly credentials: () => Credentials;
  /** A Produce request without an answer for this long has an unknown outcome. Its connection is dropped. */
  readonly requestTimeoutMs: number;
}

export interface Credentials {
  /** Undefined without TLS. */
  readonly ssl?: TlsOptions | undefined;
  /** Undefined without a login. The same object as long as the login is the same. */
  readonly sasl?: SaslOptions | undefined;
}

export type SaslOptions = PasswordLogin | TokenLogin;

export interface PasswordLogin {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

export interface TokenLogin {
  readonly mechanism: 'oauthbearer';
  /** The origin of the tokens, for messages: follows "the token". */
  readonly from: string;
  readonly extensions: Readonly<Record<string, string>>;
  /** For a new connection. Rejects with ClusterError TOKEN if there is none. */
  token(): Promise<string>;
  /** Call it if a broker has refused the token. */
  refused(token: string): void;
}

/** The login of one connection. */
export type ReadyLogin = PasswordLogin | BearerLogin;

export interface Address {
  readonly host: string;
  readonly port: number;
}

interface KafkaConnection {
  connectionStatus: string;
  /** Undefined before the first connect. */
  socket: Socket | undefined;
  /** Bytes of an answer that has not come in full. */
  readonly bytesBuffered: number;
  readonly chunks: readonly Buffer[];
  /** Milliseconds, from the broker's answer to the login; 0 = without end. */
  readonly sessionLifetime: { readonly value: bigint };
  readonly requestQueue: {
    rejectAll(error: Error): void;
    destroy(): void;
    /** Of the wall clock, in milliseconds. kafkajs sends nothing before. */
    readonly throttledUntil: number;
  };
  isConnected(): boolean;
  send(request: ControlRequest & { logResponseError: boolean }): Promise<unknown>;
}

export interface KafkaBroker {
  /** Null before the connection is made. */
  readonly versions: BrokerVersions | null;
  readonly connectionPool: {
    /** kafkajs would use the second one for fetching. It is never connected. */
    readonly pool: readonly [KafkaConnection, KafkaConnection];
  };
  /** Connects (TCP, TLS), asks for ApiVersions and logs in. */
  connect(): Promise<void>;
}

interface KafkajsLogger {
  namespace(): KafkajsLogger;
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

interface ConnectionPrototype extends KafkaConnection {
  /** Size of the unfinished answer, with the four bytes before it that say so. */
  readonly bytesNeeded: number;
  processData(chunk: Buffer): void;
}

interface RequestQueuePrototype {
  pending: readonly unknown[];
  throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

const kafkajs = {
  Broker: Broker as new (options: object) => KafkaBroker,
  connectionPoolBuilder: connectionPoolBuilder as (options: object) => {
    build(address: Address): Promise<KafkaBroker['connectionPool']>;
  },
  Connection: Connection as { prototype: ConnectionPrototype },
  RequestQueue: RequestQueue as { prototype: RequestQueuePrototype },
  requests: (
    protocol as {
      requests: Record<
        Exclude<ControlApi, OwnApi>,
        { protocol(version: { version: number }): (payload: object) => ControlRequest }
      >;
    }
  ).requests,
};

// kafkajs #1704, #1751: every answer arms a 1 ms timer that rearms itself for ever, 890 wake-ups a second for each control
// connection.
const scheduleCheck = kafkajs.RequestQueue.prototype.scheduleCheckPendingRequests;
kafkajs.RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueuePrototype): void {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) scheduleCheck.call(this);
};

/** Kafka takes no request, and so no batch, of more (socket.request.max.bytes). */
const MAX_ANSWER_BYTES = 100 * 2 ** 20;

// kafkajs throws inside a listener of the socket if bytes are no answer, which would end the process, and keeps up to 2 GB of one.
const { processData } = kafkajs.Connection.prototype;
kafkajs.Connection.prototype.processData = function (this: ConnectionPrototype, chunk: Buffer): void {
  try {
    processData.call(this, chunk);
    if (this.bytesNeeded > MAX_ANSWER_BYTES)
      throw new RangeError(`an answer of ${this.bytesNeeded} bytes was announced`);
  } catch (error) {
    const message = `these bytes are no answer of Kafka (${(error as Error).message})`;
    this.socket?.destroy(new Error(message, { cause: error }));
  }
};

/** Asks a connected broker, without a time limit. Rejects if the connection ends. */
export function askBroker<A extends ControlApi>(
  broker: KafkaBroker,
  api: A,
  { version, payload }: { version: number; payload: ControlApis[A]['payload'] },
): Promise<ControlApis[A]['answer']> {
  const { request, response } = requestOf(api, version, payload);
  // Skip kafkajs's parse: it throws if a single partition has no leader, and the whole answer would be lost.
  const unparsed = {
    // kafkajs would unpack the records, for which it lacks codecs.
    decode: api === 'Fetch' ? async (raw: Buffer) => decodeFetchAnswer(raw, version) : response.decode,
    parse: (decoded: unknown) => Promise.resolve(decoded),
  };
  const [connection] = broker.connectionPool.pool;
  const answer = connection.send({ request, response: unparsed, logResponseError: false });
  return answer as Promise<ControlApis[A]['answer']>;
}

function requestOf(api: ControlApi, version: number, payload: object): ControlRequest {
  return isOwn(api)
    ? ownRequest(api, version, payload)
    : kafkajs.requests[api].protocol({ version })(payload);
}

export function isBrokerConnected(broker: KafkaBroker): boolean {
  return broker.connectionPool.pool[0].isConnected();
}

/** How far a connection got that failed. Ask before destroyBroker(). */
export function endOf({ connectionPool, versions }: KafkaBroker) {
  const { socket, chunks } = connectionPool.pool[0];
  return {
    isConnected: socket !== undefined && !socket.connecting,
    isEnded: socket?.readableEnded === true || socket?.errored != null,
    hasAnswered: versions !== null,
    received: Buffer.concat(chunks),
  };
}

/** For how many more milliseconds the broker makes us wait with control requests, because of a quota. */
export function throttledForMs(broker: KafkaBroker): number {
  return Math.max(0, broker.connectionPool.pool[0].requestQueue.throttledUntil - Date.now());
}

/** Lifetime of the login; undefined if it does not end. */
export function sessionLifetimeMs(broker: KafkaBroker): number | undefined {
  const lifetime = Number(broker.connectionPool.pool[0].sessionLifetime.value);
  return lifetime > 0 ? lifetime : undefined;
}

/** Closes a broker's connection at once. Requests in flight are rejected with `reason`. */
export function destroyBroker(broker: KafkaBroker, reason: Error): void {
  for (const connection of broker.connectionPool.pool) {
    connection.connectionStatus = 'disconnected';
    connection.requestQueue.rejectAll(reason);
    connection.requestQueue.destroy();
    connection.socket?.destroy();
  }
}

const SOCKET_EVENTS = ['data', 'end', 'error', 'timeout'] as const;
type Listener = (...args: unknown[]) => void;
/** For each socket that kafkajs got, the listeners that Node itself has put on it. */
const listenersOfNode = new WeakMap<Socket, ReadonlySet<unknown>>();

/** Takes the connected and logged-in socket away from kafkajs. @throws Error if the connection is not idle */
export function takeSocket(broker: KafkaBroker): Socket {
  const [connection] = broker.connectionPool.pool;
  const { socket } = connection;
  if (socket === undefined || !connection.isConnected() || connection.bytesBuffered > 0)
    throw new Error('the connection is not idle');
  const kept = listenersOfNode.get(socket);
  for (const event of SOCKET_EVENTS) {
    for (const listener of socket.listeners(event)) {
      if (!kept?.has(listener)) socket.removeListener(event, listener as Listener);
    }
  }
  connection.socket = undefined;
  connection.connectionStatus = 'disconnected';
  connection.requestQueue.destroy();
  return socket;
}

/** A socket that kafkajs wants. */
interface Target extends Address {
  /** Null without TLS. */
  readonly ssl: TlsOptions | null;
  readonly onConnect: () => void;
}

const KEEP_ALIVE_MS = 60_000;

/** As kafkajs's own socket factory, but by imports of this file, which a simulation can replace. */
function openSocket({ host, port, ssl, onConnect }: Target): Socket {
  const name = isIP(host) === 0 ? { servername: host } : {};
  const socket =
    ssl === null
      ? connectPlain({ host, port }, onConnect)
      : connectTls({ host, port, ...name, ...ssl }, onConnect);
  return socket.setKeepAlive(true, KEEP_ALIVE_MS);
}

/** Returns a function that makes a broker, not connected yet. */
export function brokerBuilder(
  options: KafkaClientOptions,
  { connectTimeoutMs, log }: { connectTimeoutMs: number; log: Log },
): (
  address: Address,
  login: { readonly ssl: Credentials['ssl']; readonly sasl: ReadyLogin | undefined },
) => Promise<KafkaBroker> {
  // kafkajs logs each failed attempt as an error with its stack. The gateway logs failures itself.
  const debug = (message: string) => log.write('kafkajs_said', { message });
  const logger: KafkajsLogger = {
    namespace: () => logger,
    debug: () => undefined,
    info: debug,
    warn: debug,
    error: debug,
  };
  const poolOptions = {
    logger,
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: connectTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    // This check polls ten times a second by the wall clock. control-connection.ts has time limits of its own.
    enforceRequestTimeout: false,
    maxInFlightRequests: null,
    // kafkajs would log in again between requests in flight. We open a new connection in time instead.
    reauthenticationThreshold: 0,
    socketFactory: (target: Target) => {
      const socket = openSocket(target);
      socket.setNoDelay(true);
      listenersOfNode.set(socket, new Set(SOCKET_EVENTS.flatMap((event) => socket.listeners(event))));
      return socket;
    },
  };
  return async (address, login) =>
    new kafkajs.Broker({
      connectionPool: await kafkajs.connectionPoolBuilder({ ...poolOptions, ...login }).build(address),
      logger,
      authenticationTimeout: connectTimeoutMs,
      allowAutoTopicCreation: false,
    });
}

/** True if the broker answered with an error, so its connection is fine. */
export function isBrokersAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'KafkaJSProtocolError';
}

/** True if the broker refused the login or lacks the mechanism. */
export function isRefusedLogin(error: unknown): error is Error {
  if (error instanceof TokenRefusedError) return true;
  return error instanceof Error && (error.name.startsWith('KafkaJSSASL') || isBrokersAnswer(error));
}
