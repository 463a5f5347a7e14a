// The only file of the gateway that imports kafkajs (2.2.4), for its connections, TLS, SASL and protocol encoders.
// It imports internal modules of kafkajs and never its producer, which loses records (docs/decisions/0001).
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { ApiName, BrokerVersions } from './api-versions.ts';

export interface KafkaClientOptions {
  /** host:port of the brokers to begin with. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl: TlsOptions | undefined;
  readonly sasl: SaslOptions | undefined;
  /** A Produce request without an answer for this long has an unknown outcome. Its connection is dropped. */
  readonly requestTimeoutMs: number;
}

export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

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
  /** Milliseconds, from the broker's answer to the login; 0 = without end. */
  readonly sessionLifetime: { readonly value: bigint };
  readonly requestQueue: { rejectAll(error: Error): void; destroy(): void };
  isConnected(): boolean;
  send(request: ControlRequest & { logResponseError: boolean }): Promise<unknown>;
}

interface ControlRequest {
  readonly request: unknown;
  readonly response: {
    decode(answer: Buffer): Promise<unknown>;
    parse(decoded: unknown): Promise<unknown>;
  };
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

export interface MetadataAnswer {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    partitionMetadata: readonly { partitionErrorCode: number; partitionId: number; leader: number }[];
  }[];
}

/** Payload and decoded answer of each control request. */
export interface ControlApis {
  Metadata: {
    payload: { topics: readonly string[]; allowAutoTopicCreation: boolean };
    answer: MetadataAnswer;
  };
  CreateTopics: {
    payload: {
      topics: readonly {
        topic: string;
        numPartitions: number;
        replicationFactor: number;
        configEntries: readonly { name: string; value: string }[];
      }[];
      timeout: number;
    };
    answer: {
      topicErrors: readonly { topic: string; errorCode: number; errorMessage?: string | null }[];
    };
  };
  InitProducerId: {
    payload: { transactionalId: string | null; transactionTimeout: number };
    answer: { errorCode: number; producerId: string; producerEpoch: number };
  };
  DescribeConfigs: {
    payload: { resources: readonly { type: number; name: string; configNames: readonly string[] }[] };
    answer: {
      resources: readonly {
        errorCode: number;
        configEntries: readonly { configName: string; configValue: string | null }[];
      }[];
    };
  };
}

export type ControlApi = keyof ControlApis & ApiName;

interface KafkajsLogger {
  namespace(): KafkajsLogger;
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

interface RequestQueuePrototype {
  pending: readonly unknown[];
  throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

const require = createRequire(import.meta.url);

const kafkajs = {
  Broker: require('kafkajs/src/broker') as new (options: object) => KafkaBroker,
  connectionPoolBuilder: require('kafkajs/src/cluster/connectionPoolBuilder') as (options: object) => {
    build(address: Address): Promise<KafkaBroker['connectionPool']>;
  },
  RequestQueue: require('kafkajs/src/network/requestQueue') as { prototype: RequestQueuePrototype },
  socketFactory: require('kafkajs/src/network/socketFactory') as () => (options: object) => Socket,
  requests: (
    require('kafkajs/src/protocol/requests') as {
      requests: Record<
        ControlApi,
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

/** Asks a connected broker, without a time limit. Rejects if the connection ends. */
export function askBroker<A extends ControlApi>(
  broker: KafkaBroker,
  api: A,
  { version, payload }: { version: number; payload: ControlApis[A]['payload'] },
): Promise<ControlApis[A]['answer']> {
  const { request, response } = kafkajs.requests[api].protocol({ version })(payload);
  // Skip kafkajs's parse: it throws if a single partition has no leader, and the whole answer would be lost.
  const unparsed = { decode: response.decode, parse: (decoded: unknown) => Promise.resolve(decoded) };
  const [connection] = broker.connectionPool.pool;
  const answer = connection.send({ request, response: unparsed, logResponseError: false });
  return answer as Promise<ControlApis[A]['answer']>;
}

export function isBrokerConnected(broker: KafkaBroker): boolean {
  return broker.connectionPool.pool[0].isConnected();
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

/** Returns a function that makes a broker for an address, not connected yet. */
export function brokerBuilder(
  options: KafkaClientOptions,
  { connectTimeoutMs, log }: { connectTimeoutMs: number; log: Logger },
): (address: Address) => Promise<KafkaBroker> {
  // kafkajs logs each failed attempt as an error with its stack. The gateway logs failures itself.
  const debug = (message: string) => log.debug({ from: 'kafkajs' }, message);
  const logger: KafkajsLogger = {
    namespace: () => logger,
    debug: () => undefined,
    info: debug,
    warn: debug,
    error: debug,
  };
  const connectSocket = kafkajs.socketFactory();
  const pools = kafkajs.connectionPoolBuilder({
    logger,
    brokers: [...options.brokers],
    ssl: options.ssl,
    sasl: options.sasl,
    clientId: options.clientId,
    connectionTimeout: connectTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    // This check polls ten times a second by the wall clock. control-connection.ts has time limits of its own.
    enforceRequestTimeout: false,
    maxInFlightRequests: null,
    // kafkajs would log in again between requests in flight. We open a new connection in time instead.
    reauthenticationThreshold: 0,
    socketFactory: (target: object) => {
      const socket = connectSocket(target);
      socket.setNoDelay(true);
      listenersOfNode.set(socket, new Set(SOCKET_EVENTS.flatMap((event) => socket.listeners(event))));
      return socket;
    },
  });
  return async (address) =>
    new kafkajs.Broker({
      connectionPool: await pools.build(address),
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
  return error instanceof Error && (error.name.startsWith('KafkaJSSASL') || isBrokersAnswer(error));
}
