// The gateway's Kafka client: one method for each request, which goes to a broker that can answer it. Connections and
// the choice of a broker belong to brokers.ts; Produce requests are never tried again here.
import type { Log } from '../../log/log.ts';
import type { HistogramValue } from '../../measure/histogram.ts';
import { backoffMs, pause } from '../../time/backoff.ts';
import { kafkaError } from '../wire/errors.ts';
import type { FetchAnswer } from '../wire/fetch-answer.ts';
import type { ProduceAnswer, ProduceRequest } from '../wire/produce-request.ts';
import { Brokers } from './brokers.ts';
import { AnswerError, ClusterError } from './cluster-error.ts';
import { addressText } from './connector.ts';
import type { MetadataAnswer } from './control-apis.ts';
import type { ControlConnection } from './control-connection.ts';
import type { KafkaClientOptions } from './kafkajs.ts';
import { TOPIC_LIMIT_NAMES, type TopicLimits, topicLimits } from './topic-limits.ts';

export { ClusterError } from './cluster-error.ts';
export type { TopicLimits } from './topic-limits.ts';

/** A broker's answer about one topic. */
export interface TopicMetadata {
  /** Kafka's error code for the topic, 0 if it exists. */
  readonly errorCode: number;
  /** Node id of each partition's leader, by partition; -1 if the partition has none now. */
  readonly leaders: readonly number[];
  readonly clusterId: string | undefined;
  /** Node id of the broker that answered; undefined behind an address that no broker advertises. */
  readonly from: number | undefined;
  /** Node ids of the brokers in the answer. */
  readonly brokers: readonly number[];
}

export interface MetadataQuestion {
  /** Node ids of brokers to ask after the others. */
  readonly askLast?: ReadonlySet<number>;
  /** True if the answer may be old: brokers that it does not name are then kept. */
  readonly isDoubted?: (answer: TopicMetadata) => boolean;
}

export interface TopicCreation {
  /** Kafka's reason. Null if the topic exists afterwards. */
  readonly refusal: string | null;
  /** False if another process was first. */
  readonly isNew: boolean;
}

export interface TopicToCreate {
  readonly topic: string;
  readonly partitions: number;
  /** -1 = the broker's default. */
  readonly replicationFactor: number;
  /** Settings of the topic. The broker's defaults apply to all others. */
  readonly config?: Readonly<Record<string, string>>;
}

/** A place in a topic's partition, and the broker that leads the partition. */
export interface PartitionPlace {
  readonly nodeId: number;
  readonly topic: string;
  readonly partition: number;
}

/** ListOffsets takes these in place of a time. */
export const OFFSETS = { end: -1, first: -2 } as const;

const FETCH_WAIT_MS = 500;
const CREATE_TOPIC_TIMEOUT_MS = 8000;
const TOPIC_ALREADY_EXISTS = 36;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
/**
 * CreateTopics is tried again after these error codes: the broker is not the controller (41), the controller is moving or
 * slow (7, 8, 13, 14, 15), or it wants fewer requests (89).
 */
const CREATE_TOPIC_AGAIN = new Set([41, 7, 8, 13, 14, 15, 89]);
const CREATE_TOPIC_TRIES = 5;
const DESCRIBE_TRIES = 3;
const AGAIN = { firstMs: 200, maxMs: 1000 };
const TOPIC_RESOURCE = 2;

export class KafkaClient {
  readonly #brokers: Brokers;
  readonly #closing = new AbortController();
  #controllerId = -1;

  constructor(options: KafkaClientOptions, log: Log) {
    this.#brokers = new Brokers(options, log);
  }

  /** True while at least one broker is connected. */
  get connected(): boolean {
    return this.#brokers.isConnected;
  }

  /** Milliseconds that brokers made us wait because of quotas, summed over all brokers since the start. */
  get throttledMs(): number {
    return this.#brokers.throttledMs;
  }

  /** The clock of a broker less ours; undefined if no topic with LogAppendTime has told it in the last 10 minutes. */
  get clockOffsetMs(): number | undefined {
    return this.#brokers.clockOffsetMs;
  }

  /** Why the latest login was refused. Undefined if it was not. */
  get loginRefusal(): Error | undefined {
    return this.#brokers.loginRefusal;
  }

  /** Seconds from each Produce request to its answer, dead letters included. */
  get produceTimes(): HistogramValue {
    return this.#brokers.produceTimes.value;
  }

  /** True while at least one broker makes us wait. */
  get throttled(): boolean {
    return this.#brokers.isThrottled;
  }

  /** Asks any broker for the leaders of a topic's partitions, and learns the brokers' addresses from the answer. */
  async topicMetadata(topic: string, { askLast, isDoubted }: MetadataQuestion = {}): Promise<TopicMetadata> {
    const payload = { topics: [topic], allowAutoTopicCreation: false };
    const { answer, from } = await this.#brokers.askAny(async (broker, nodeId) => {
      const answer = await broker.ask('Metadata', payload, this.#brokers.controlTimeoutMs);
      // A broker that has just started may know no brokers and no topics. Kafka's Java client skips such an answer, too.
      if (answer.brokers.length === 0)
        throw new ClusterError('UNREACHABLE', `${broker.address} names no brokers: it has only just started`);
      return { answer, from: nodeId ?? brokerAt(broker.address, answer.brokers) };
    }, askLast);
    const metadata = metadataOf(topic, answer, from);
    this.#brokers.learn(answer, isDoubted?.(metadata));
    this.#controllerId = answer.controllerId;
    return metadata;
  }

  /** Asks the controller to create a topic. Rejects with ClusterError if no controller took the request. */
  async createTopic(topic: TopicToCreate): Promise<TopicCreation> {
    let last: unknown;
    for (let tries = 1; tries <= CREATE_TOPIC_TRIES; tries++) {
      if (tries > 1) {
        await pause(backoffMs(tries - 1, AGAIN), this.#closing.signal);
        // Another broker may be the controller by now.
        await this.topicMetadata(topic.topic);
      }
      try {
        const { errorCode, errorMessage } = await this.#askToCreate(topic);
        if (errorCode === 0 || errorCode === TOPIC_ALREADY_EXISTS)
          return { refusal: null, isNew: errorCode === 0 };
        const { name } = kafkaError(errorCode);
        if (!CREATE_TOPIC_AGAIN.has(errorCode))
          return { refusal: errorMessage ? `${name}: ${errorMessage}` : name, isNew: false };
        last = new AnswerError(errorCode, name);
      } catch (error) {
        if (error instanceof ClusterError && error.code === 'UNSUPPORTED') throw error;
        last = error;
      }
    }
    if (last instanceof ClusterError) throw last;
    const reason = last instanceof Error ? last.message : String(last);
    throw new ClusterError(
      'UNREACHABLE',
      `topic ${topic.topic} could not be created, no controller took the request: ${reason}`,
    );
  }

  async #askToCreate({ topic, partitions, replicationFactor, config = {} }: TopicToCreate) {
    const topics = [
      {
        topic,
        numPartitions: partitions,
        replicationFactor,
        configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
      },
    ];
    const ask = async (broker: ControlConnection) => {
      const timeout = CREATE_TOPIC_TIMEOUT_MS - 1000;
      const answer = await broker.ask('CreateTopics', { topics, timeout }, CREATE_TOPIC_TIMEOUT_MS);
      const found = answer.topicErrors.find((entry) => entry.topic === topic);
      if (found === undefined)
        throw new ClusterError('PROTOCOL', `the broker's answer does not name topic ${topic}`);
      return found;
    };
    if (this.#controllerId < 0) return await this.#brokers.askAny(ask);
    return await this.#brokers.askNode(this.#controllerId, ask);
  }

  /** The topic's limits, or undefined if the broker does not let us read them. */
  async topicLimits(topic: string): Promise<TopicLimits | undefined> {
    const resources = [{ type: TOPIC_RESOURCE, name: topic, configNames: TOPIC_LIMIT_NAMES }];
    for (let tries = 1; ; tries++) {
      const answer = await this.#brokers.askAny((broker) =>
        broker.ask('DescribeConfigs', { resources }, this.#brokers.controlTimeoutMs),
      );
      const [found] = answer.resources;
      if (found === undefined) return undefined;
      if (found.errorCode === 0) return topicLimits(found.configEntries);
      // Some brokers do not know a new topic yet.
      if (found.errorCode !== UNKNOWN_TOPIC_OR_PARTITION || tries === DESCRIBE_TRIES) return undefined;
      await pause(backoffMs(tries, AGAIN), this.#closing.signal);
    }
  }

  /** Gets a new producer id for idempotent writes. Rejects with AnswerError if the broker cannot give one now. */
  async initProducerId(): Promise<{ producerId: bigint; producerEpoch: number }> {
    const { errorCode, producerId, producerEpoch } = await this.#brokers.askAny((broker) =>
      broker.ask(
        'InitProducerId',
        { transactionalId: null, transactionTimeout: 60_000 },
        this.#brokers.controlTimeoutMs,
      ),
    );
    if (errorCode !== 0) throw new AnswerError(errorCode, `InitProducerId: ${kafkaError(errorCode).name}`);
    return { producerId: BigInt(producerId), producerEpoch };
  }

  /** Reads whole batches from an offset on, of about `maxBytes` bytes. Rejects with ClusterError or AnswerError. */
  fetch(
    { nodeId, topic, partition }: PartitionPlace,
    { fetchOffset, maxBytes }: { fetchOffset: number; maxBytes: number },
  ): Promise<FetchAnswer> {
    const partitions = [{ partition, fetchOffset, maxBytes }];
    const payload = {
      maxWaitTime: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytes,
      isolationLevel: 0 as const,
      topics: [{ topic, partitions }],
    };
    return this.#brokers.askNode(nodeId, (broker) =>
      broker.ask('Fetch', payload, FETCH_WAIT_MS + this.#brokers.controlTimeoutMs),
    );
  }

  /**
   * The first offset of the partition whose record has at least this timestamp; -1 if there is none.
   * @param timestamp milliseconds since 1970, or one of OFFSETS
   */
  async listOffset(
    { nodeId, topic, partition }: PartitionPlace,
    timestamp: number,
  ): Promise<{ errorCode: number; offset: number }> {
    const payload = {
      replicaId: -1 as const,
      isolationLevel: 0 as const,
      topics: [{ topic, partitions: [{ partition, timestamp }] }],
    };
    const { responses } = await this.#brokers.askNode(nodeId, (broker) =>
      broker.ask('ListOffsets', payload, this.#brokers.controlTimeoutMs),
    );
    const found = responses[0]?.partitions[0];
    if (found === undefined) throw new ClusterError('PROTOCOL', `the answer does not name topic ${topic}`);
    return { errorCode: found.errorCode, offset: Number(found.offset) };
  }

  /**
   * Sends a Produce request to a broker, in the order of the calls. While the broker throttles us, the request waits and
   * its time limit does not run. Rejects with ClusterError if no answer came. The outcome is then unknown, unless the
   * request was never sent, and the same bytes have to be sent again. With acks 0 there is no answer: it resolves with
   * undefined once few enough bytes wait to be written.
   */
  produce(nodeId: number, request: ProduceRequest): Promise<ProduceAnswer | undefined> {
    try {
      return this.#brokers.queueOf(nodeId).produce(request);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Connects to a broker for producing unless it is connected. Rejects with ClusterError. If the broker cannot be
   * reached, the message names its address and `advertised.listeners`.
   */
  async connectTo(nodeId: number): Promise<void> {
    await this.#brokers.queueOf(nodeId).connected();
  }

  /** Resolves when no byte of the Produce requests that were sent waits in this process. With acks 0 some may, although they are settled. */
  written(): Promise<void> {
    return this.#brokers.written();
  }

  /** Closes all connections at once. Requests in flight are rejected. */
  close(): void {
    this.#closing.abort();
    this.#brokers.close();
  }
}

/** @throws ClusterError if the answer is about other topics only */
function metadataOf(topic: string, answer: MetadataAnswer, from: number | undefined): TopicMetadata {
  const found = answer.topicMetadata.find((entry) => entry.topic === topic);
  if (found === undefined)
    throw new ClusterError('PROTOCOL', `the broker's answer does not name topic ${topic}`);
  const leaders = new Array<number>(found.partitionMetadata.length).fill(-1);
  for (const partition of found.partitionMetadata) leaders[partition.partitionId] = partition.leader;
  return {
    errorCode: found.topicErrorCode,
    leaders,
    clusterId: answer.clusterId ?? undefined,
    from,
    brokers: answer.brokers.map(({ nodeId }) => nodeId),
  };
}

/** The broker behind a configured address. Undefined if no broker advertises it, as with a load balancer. */
function brokerAt(address: string, brokers: MetadataAnswer['brokers']): number | undefined {
  const [first] = brokers;
  if (brokers.length === 1) return first?.nodeId;
  return brokers.find((broker) => addressText(broker).toLowerCase() === address.toLowerCase())?.nodeId;
}
