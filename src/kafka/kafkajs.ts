// kafkajs 2.2.4 in depth: what is used of it, typed. The only file that does, for it imports what is not
// its public face: kafkajs's own producer loses records (docs/decisions/0001), but its connections, TLS, SASL and
// protocol encoders are sound.
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Logger } from 'pino';

export interface ClusterOptions {
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

/** A connection to a broker; requests wait in its queue. */
export interface KafkaConnection {
  connectionStatus: string;
  /** Undefined before it was first connected. */
  readonly socket: Socket | undefined;
  readonly requestQueue: {
    push(request: {
      entry: {
        apiKey: number;
        apiName: string;
        apiVersion: number;
        correlationId: number;
        resolve(answer: { payload: Buffer | null }): void;
        reject(error: Error): void;
      };
      expectResponse: boolean;
      sendRequest(): void;
    }): void;
    rejectAll(error: Error): void;
    destroy(): void;
  };
  nextCorrelationId(): number;
}

export interface KafkaBroker {
  readonly connectionPool: {
    send(request: { request: unknown; response: unknown }): Promise<unknown>;
    /** The second is kafkajs's own for fetching, never connected. */
    readonly pool: readonly [KafkaConnection, KafkaConnection];
  };
  isConnected(): boolean;
  connect(): Promise<void>;
  createTopics(request: { topics: readonly object[]; timeout: number }): Promise<unknown>;
  describeConfigs(request: { resources: readonly object[] }): Promise<{
    resources: readonly { configEntries: readonly { configName: string; configValue: string }[] }[];
  }>;
  initProducerId(request: { transactionalId: string | null; transactionTimeout: number }): Promise<{
    producerId: string;
    producerEpoch: number;
  }>;
}

export interface MetadataAnswer {
  readonly clusterId: string | null;
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    partitionMetadata: readonly { partitionErrorCode: number; partitionId: number; leader: number }[];
  }[];
}

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
      requests: {
        Metadata: {
          protocol(version: {
            version: number;
          }): (options: object) => { request: unknown; response: { decode: unknown } };
        };
      };
    }
  ).requests,
};

// kafkajs #1704, #1751: every answer arms a 1 ms timer that re-arms itself for ever, 890 wake-ups a second.
const scheduleCheck = kafkajs.RequestQueue.prototype.scheduleCheckPendingRequests;
kafkajs.RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueuePrototype): void {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) scheduleCheck.call(this);
};

/** The Metadata request, version 6, which every broker from 2.1 to 4.x answers, and how its answer is decoded. */
export function metadataRequest(options: { topics: readonly string[]; allowAutoTopicCreation: boolean }) {
  return kafkajs.requests.Metadata.protocol({ version: 6 })(options);
}

/** What makes a broker out of its address, not connected yet. */
export function brokerBuilder(
  options: ClusterOptions,
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
    // Its check polls ten times a second by the wall clock; cluster.ts has a watchdog of its own.
    enforceRequestTimeout: false,
    maxInFlightRequests: null,
    reauthenticationThreshold: 10_000,
    socketFactory: (target: object) => {
      const socket = connectSocket(target);
      socket.setNoDelay(true);
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
