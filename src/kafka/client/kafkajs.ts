// kafkajs 2.2.4 in depth: what is used of it, typed. The only file that does, for it imports what is not
// its public face: kafkajs's own producer loses records (docs/decisions/0001), but its connections, TLS, SASL and
// protocol encoders are sound.
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { ApiName, BrokerVersions } from '../wire/api-versions.ts';

export interface KafkaClientOptions {
  /** host:port of the brokers to ask first. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl: TlsOptions | undefined;
  readonly sasl: SaslOptions | undefined;
  /** A produce request without an answer for this long has an unknown outcome; its connection is dropped. */
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
  /** Undefined before it was first connected. */
  socket: Socket | undefined;
  /** Of an answer that has not come to its end. */
  readonly bytesBuffered: number;
  /** As the broker gave it at the login, milliseconds; 0 = without end. */
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
  /** Undefined before it was connected. */
  readonly versions: BrokerVersions | null;
  readonly connectionPool: {
    /** The second is kafkajs's own for fetching, never connected. */
    readonly pool: readonly [KafkaConnection, KafkaConnection];
  };
  /** TCP, TLS, ApiVersions and login. */
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

/** What each control request says, and what its answer holds once it is decoded. */
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

// kafkajs #1704, #1751: every answer arms a 1 ms timer that re-arms itself for ever, 890 wake-ups a second for each
// control connection.
const scheduleCheck = kafkajs.RequestQueue.prototype.scheduleCheckPendingRequests;
kafkajs.RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueuePrototype): void {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) scheduleCheck.call(this);
};

/** Asks a connected broker. It waits for as long as the broker does; rejects if the connection ends. */
export function askBroker<A extends ControlApi>(
  broker: KafkaBroker,
  api: A,
  { version, payload }: { version: number; payload: ControlApis[A]['payload'] },
): Promise<ControlApis[A]['answer']> {
  const { request, response } = kafkajs.requests[api].protocol({ version })(payload);
  // Decoded but not parsed: kafkajs's parse throws the whole answer away for one partition without a leader.
  const unparsed = { decode: response.decode, parse: (decoded: unknown) => Promise.resolve(decoded) };
  const [connection] = broker.connectionPool.pool;
  const answer = connection.send({ request, response: unparsed, logResponseError: false });
  return answer as Promise<ControlApis[A]['answer']>;
}

export function isBrokerConnected(broker: KafkaBroker): boolean {
  return broker.connectionPool.pool[0].isConnected();
}

/** How long the login lasts, milliseconds; undefined if it does not end. */
export function sessionLifetimeMs(broker: KafkaBroker): number | undefined {
  const lifetime = Number(broker.connectionPool.pool[0].sessionLifetime.value);
  return lifetime > 0 ? lifetime : undefined;
}

/** Closes a broker's connection at once; what was in flight on it is rejected. */
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
/** The listeners that Node itself has on a socket that kafkajs got. */
const listenersOfNode = new WeakMap<Socket, ReadonlySet<unknown>>();

/** Takes the connected and logged-in socket away from kafkajs, which hears nothing of it from here on. */
export function takeSocket(broker: KafkaBroker): Socket {
  const [connection] = broker.connectionPool.pool;
  const { socket } = connection;
  if (socket === undefined || !connection.isConnected() || connection.bytesBuffered > 0)
    throw new Error('the connection is not at rest');
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

/** What makes a broker out of its address, not connected yet. */
export function brokerBuilder(
  options: KafkaClientOptions,
  { connectTimeoutMs, log }: { connectTimeoutMs: number; log: Logger },
): (address: Address) => Promise<KafkaBroker> {
  // kafkajs logs each failed attempt as an error with its stack; we say it once, in our own words.
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
    // Its check polls ten times a second by the wall clock; control-connection.ts has its own time limits.
    enforceRequestTimeout: false,
    maxInFlightRequests: null,
    // kafkajs would log in again on the same connection, between requests in flight. We make a new one in time.
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

/** True if the broker itself answered with an error, which says nothing against its connection. */
export function isBrokersAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'KafkaJSProtocolError';
}

/** True if the login failed: refused, or the broker lacks the mechanism. */
export function isRefusedLogin(error: unknown): error is Error {
  return error instanceof Error && (error.name.startsWith('KafkaJSSASL') || isBrokersAnswer(error));
}
