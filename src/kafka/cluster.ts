// The brokers: finding them, asking for leaders, and one connection to each. Every wait in here ends, on a
// monotonic clock.
import type { Logger } from 'pino';
import {
  type Address,
  brokerBuilder,
  type ClusterOptions,
  type KafkaBroker,
  type MetadataAnswer,
  metadataRequest,
} from './kafkajs.ts';
import { LoginGate } from './login-gate.ts';
import {
  decodeProduceResponse,
  encodeProduceRequest,
  PRODUCE_API_KEY,
  PRODUCE_API_VERSION,
  type ProduceAnswer,
  type ProduceRequest,
} from './produce-request.ts';

/** One topic as the brokers know it. */
export interface TopicMetadata {
  /** Kafka's error code for the topic, 0 where it exists. */
  readonly errorCode: number;
  /** Node id of each partition's leader by partition, -1 where it has none now. */
  readonly leaders: readonly number[];
}

export interface TopicToCreate {
  readonly topic: string;
  readonly partitions: number;
  /** -1 = the broker's own default. */
  readonly replicationFactor: number;
  /** The topic's own settings; the broker's defaults hold for the rest. */
  readonly config?: Readonly<Record<string, string>>;
}

/** A broker could not be reached, or did not answer in time. What was sent to it may have been done. */
export class ClusterError extends Error {
  readonly code: 'UNREACHABLE' | 'TIMEOUT' | 'AUTHENTICATION' | 'UNSUPPORTED' | 'PROTOCOL';
  readonly retriable = true;
  constructor(code: ClusterError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

// Answered from the broker's memory, so one that takes longer than this is asked no further.
const ADMIN_TIMEOUT_MS = 3000;
const CONNECT_TIMEOUT_MS = 3000;
const CREATE_TOPIC_TIMEOUT_MS = 8000;
const TOPIC_ALREADY_EXISTS = 36;
const TOPIC_RESOURCE = 2;

interface Node {
  readonly address: Address;
  broker: KafkaBroker | undefined;
  connecting: Promise<KafkaBroker> | undefined;
  /** Monotonic milliseconds of the last time it did not answer, 0 where it has answered since. */
  failedAtMs: number;
}

export class KafkaCluster {
  readonly #options: ClusterOptions;
  readonly #build: (address: Address) => Promise<KafkaBroker>;
  readonly #nodes = new Map<number, Node>();
  #seed: KafkaBroker | undefined;
  #seedConnecting: Promise<KafkaBroker> | undefined;
  #nextBootstrap = 0;
  readonly #logins = new LoginGate();
  #closed = false;

  constructor(options: ClusterOptions, log: Logger) {
    this.#options = options;
    this.#build = brokerBuilder(options, { connectTimeoutMs: CONNECT_TIMEOUT_MS, log });
  }

  /** True while at least one broker is connected. */
  get connected(): boolean {
    if (this.#seed?.isConnected()) return true;
    return [...this.#nodes.values()].some((node) => node.broker?.isConnected());
  }

  /** Leaders of a topic's partitions, from any broker that answers; also learns the brokers' addresses. */
  async topicMetadata(topic: string): Promise<TopicMetadata> {
    const answer = await this.#askAny((broker) => {
      const { request, response } = metadataRequest({ topics: [topic], allowAutoTopicCreation: false });
      // Decoded but not parsed: kafkajs's parse throws the whole answer away for one leaderless partition.
      const unparsed = { decode: response.decode, parse: (data: unknown) => Promise.resolve(data) };
      return broker.connectionPool.send({ request, response: unparsed }) as Promise<MetadataAnswer>;
    });
    this.#learn(answer.brokers);
    const found = answer.topicMetadata.find((entry) => entry.topic === topic);
    if (found === undefined)
      throw new ClusterError('PROTOCOL', `the broker's answer does not name topic ${topic}`);
    const leaders = new Array<number>(found.partitionMetadata.length).fill(-1);
    for (const partition of found.partitionMetadata) leaders[partition.partitionId] = partition.leader;
    return { errorCode: found.topicErrorCode, leaders };
  }

  /** Resolves with the broker's error code name where it refuses, null where the topic is there afterwards. */
  async createTopic(wanted: TopicToCreate): Promise<string | null> {
    const { topic, partitions, replicationFactor, config = {} } = wanted;
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    const topics = [
      { topic, numPartitions: partitions, replicationFactor, replicaAssignment: [], configEntries },
    ];
    try {
      await this.#askAny(
        (broker) => broker.createTopics({ topics, timeout: CREATE_TOPIC_TIMEOUT_MS - 1000 }),
        CREATE_TOPIC_TIMEOUT_MS,
      );
      return null;
    } catch (error) {
      const cause = (error as { errors?: readonly { code?: number; type?: string; message?: string }[] })
        .errors?.[0];
      if (cause === undefined) throw error;
      return cause.code === TOPIC_ALREADY_EXISTS ? null : (cause.type ?? cause.message ?? 'unknown error');
    }
  }

  /** The topic's max.message.bytes, or undefined where the broker does not let us read it. */
  async maxMessageBytes(topic: string): Promise<number | undefined> {
    const answer = await this.#askAny((broker) =>
      broker.describeConfigs({
        resources: [{ type: TOPIC_RESOURCE, name: topic, configNames: ['max.message.bytes'] }],
      }),
    ).catch((error: unknown) => {
      if (error instanceof ClusterError) throw error;
      return undefined;
    });
    const value = answer?.resources[0]?.configEntries[0]?.configValue;
    return value === undefined ? undefined : Number(value);
  }

  /** A fresh producer id for idempotent writes. */
  async initProducerId(): Promise<{ producerId: bigint; producerEpoch: number }> {
    const answer = await this.#askAny((broker) =>
      broker.initProducerId({ transactionalId: null, transactionTimeout: 60_000 }),
    );
    return { producerId: BigInt(answer.producerId), producerEpoch: answer.producerEpoch };
  }

  /**
   * Sends one Produce request to a broker. Rejects with ClusterError where no answer came: the outcome is then
   * unknown and the same bytes have to be sent again. With acks 0 it resolves with undefined once written.
   */
  async produce(nodeId: number, request: ProduceRequest): Promise<ProduceAnswer | undefined> {
    const broker = await this.#node(nodeId);
    const [connection] = broker.connectionPool.pool;
    const correlationId = connection.nextCorrelationId();
    const parts = encodeProduceRequest(request, correlationId, this.#options.clientId);
    const answered = new Promise<{ payload: Buffer | null }>((resolve, reject) => {
      connection.requestQueue.push({
        entry: {
          apiKey: PRODUCE_API_KEY,
          apiName: 'Produce',
          apiVersion: PRODUCE_API_VERSION,
          correlationId,
          resolve,
          reject,
        },
        expectResponse: request.acks !== 0,
        sendRequest: () => {
          connection.socket?.cork();
          for (const part of parts) connection.socket?.write(part);
          connection.socket?.uncork();
        },
      });
    });
    try {
      const { payload } = await within(
        this.#options.requestTimeoutMs,
        answered,
        `node ${nodeId} did not answer`,
      );
      return payload === null ? undefined : decodeProduceResponse(payload, request.topic);
    } catch (error) {
      // Whatever the broker still does with it must not meet our next try on the same connection.
      this.#failed(nodeId);
      throw asClusterError(error);
    }
  }

  /** Closes a broker's connection at once; what was in flight on it is rejected. */
  dropNode(nodeId: number): void {
    const node = this.#nodes.get(nodeId);
    if (node?.broker === undefined) return;
    destroy(node.broker);
    node.broker = undefined;
  }

  /** Closes every connection at once. */
  close(): void {
    this.#closed = true;
    for (const nodeId of this.#nodes.keys()) this.dropNode(nodeId);
    this.#dropSeed();
  }

  #failed(nodeId: number): void {
    const node = this.#nodes.get(nodeId);
    if (node !== undefined) node.failedAtMs = performance.now();
    this.dropNode(nodeId);
  }

  async #askAny<T>(ask: (broker: KafkaBroker) => Promise<T>, timeoutMs = ADMIN_TIMEOUT_MS): Promise<T> {
    // One that has not answered lately comes last: a frozen broker takes connections and costs every one its timeout.
    const nodes = shuffled([...this.#nodes])
      .sort(([, a], [, b]) => a.failedAtMs - b.failedAtMs)
      .map(([nodeId, node]) => ({
        name: `node ${nodeId}`,
        connect: () => this.#node(nodeId, true),
        answered: () => {
          node.failedAtMs = 0;
        },
        drop: () => this.#failed(nodeId),
      }));
    const seeds = this.#options.brokers.map(() => ({
      name: 'the broker',
      connect: () => this.#connectedSeed(),
      answered: () => {},
      drop: () => this.#dropSeed(),
    }));
    // While logins are refused only the first may try: not always the same, or one broker could bar all others.
    const ways = this.#logins.isRefused ? shuffled([...nodes, ...seeds]) : [...nodes, ...seeds];
    let last: unknown;
    for (const { name, connect, answered, drop } of ways) {
      try {
        const broker = await connect();
        const answer = await within(timeoutMs, ask(broker), `${name} did not answer`);
        answered();
        return answer;
      } catch (error) {
        if (isBrokersAnswer(error)) throw error;
        last = error;
        drop();
      }
    }
    throw asClusterError(last);
  }

  // Two that ask at once share one attempt: a connection nobody holds would never be closed.
  async #connectedSeed(): Promise<KafkaBroker> {
    if (this.#seed?.isConnected()) return this.#seed;
    this.#dropSeed();
    this.#seedConnecting ??= this.#connect(this.#bootstrapAddress(), true).finally(() => {
      this.#seedConnecting = undefined;
    });
    this.#seed = await this.#seedConnecting;
    return this.#seed;
  }

  #dropSeed(): void {
    if (this.#seed) destroy(this.#seed);
    this.#seed = undefined;
  }

  #bootstrapAddress(): Address {
    const text = this.#options.brokers[this.#nextBootstrap++ % this.#options.brokers.length] ?? '';
    const colon = text.lastIndexOf(':');
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
  }

  #learn(brokers: MetadataAnswer['brokers']): void {
    const current = new Set(brokers.map((broker) => broker.nodeId));
    for (const nodeId of this.#nodes.keys()) {
      if (current.has(nodeId)) continue;
      this.dropNode(nodeId);
      this.#nodes.delete(nodeId);
    }
    for (const { nodeId, host, port } of brokers) {
      const known = this.#nodes.get(nodeId);
      if (known?.address.host === host && known.address.port === port) continue;
      this.dropNode(nodeId);
      this.#nodes.set(nodeId, {
        address: { host, port },
        broker: undefined,
        connecting: undefined,
        failedAtMs: 0,
      });
    }
  }

  /** @param mayRetryLogin also while logins are refused: for requests that come one at a time */
  async #node(nodeId: number, mayRetryLogin = false): Promise<KafkaBroker> {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) throw new ClusterError('UNREACHABLE', `broker ${nodeId} is not known`);
    if (node.broker?.isConnected()) return node.broker;
    if (node.broker !== undefined) this.dropNode(nodeId);
    // Two requests that find no connection share one attempt.
    node.connecting ??= this.#connect(node.address, mayRetryLogin).finally(() => {
      node.connecting = undefined;
    });
    node.broker = await node.connecting;
    // The address that was asked first is not needed beside the broker it led to.
    this.#dropSeed();
    return node.broker;
  }

  async #connect(address: Address, mayRetryLogin: boolean): Promise<KafkaBroker> {
    this.#logins.enter(mayRetryLogin);
    const broker = await this.#build(address);
    try {
      await within(
        2 * CONNECT_TIMEOUT_MS,
        broker.connect(),
        `${address.host}:${address.port} did not answer`,
      );
    } catch (error) {
      destroy(broker);
      const refusal = this.#options.sasl && asRefusedLogin(error, address);
      if (refusal) this.#logins.refused(refusal);
      else this.#logins.notTried();
      throw refusal ?? asClusterError(error);
    }
    this.#logins.accepted();
    if (this.#closed) {
      destroy(broker);
      throw new ClusterError('UNREACHABLE', 'the client is closed');
    }
    return broker;
  }
}

async function within<T>(ms: number, work: Promise<T>, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ClusterError('TIMEOUT', `${message} within ${ms} ms`)), ms);
  });
  // A later rejection of the work finds nobody waiting.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

// An error the broker itself answered with says nothing against its connection.
function isBrokersAnswer(error: unknown): boolean {
  const name = error instanceof Error ? error.name : '';
  return (
    name === 'KafkaJSProtocolError' || name === 'KafkaJSAggregateError' || name === 'KafkaJSCreateTopicError'
  );
}

function asClusterError(error: unknown): Error {
  if (error instanceof ClusterError || (error instanceof Error && isBrokersAnswer(error))) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ClusterError('UNREACHABLE', message, { cause: error });
}

/** Undefined where it did not come to a refusal. A broker that answers a connect with an error lacks the mechanism. */
function asRefusedLogin(error: unknown, { host, port }: Address): ClusterError | undefined {
  if (!(error instanceof Error)) return undefined;
  if (!error.name.startsWith('KafkaJSSASL') && !isBrokersAnswer(error)) return undefined;
  const message = `${host}:${port} refuses the login set by KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD: ${error.message}`;
  return new ClusterError('AUTHENTICATION', message, { cause: error });
}

function destroy(broker: KafkaBroker): void {
  for (const connection of broker.connectionPool.pool) {
    connection.connectionStatus = 'disconnected';
    connection.requestQueue.rejectAll(new ClusterError('UNREACHABLE', 'the connection was dropped'));
    connection.requestQueue.destroy();
    connection.socket?.destroy();
  }
}

function shuffled<T>(items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}
