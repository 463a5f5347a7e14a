// The brokers of the cluster: their addresses, one control connection and one queue of Produce requests to each, and
// whom to ask next. Learns the addresses from each Metadata answer.
import type { Logger } from 'pino';
import { rateLimited } from '../../log/rate-limited-log.ts';
import { AnswerError, ClusterError, type ClusterErrorCode } from './cluster-error.ts';
import { addressText, Connector } from './connector.ts';
import { type ControlConnection, ControlSlot } from './control-connection.ts';
import type { Address, KafkaClientOptions, MetadataAnswer } from './kafkajs.ts';
import type { ProduceConnection, ProduceConnectionEvents } from './produce-connection.ts';
import { ProduceQueue } from './produce-queue.ts';

/** A control request is answered from the broker's memory, so a broker that takes longer than this is left. */
const MIN_CONTROL_TIMEOUT_MS = 3000;
/** The same if KAFKA_REQUEST_TIMEOUT is high: the line is slow then, and control requests share it with the data. */
const MAX_CONTROL_TIMEOUT_MS = 10_000;
const CONTROL_PART = 1 / 3;
const QUOTA_WARNING_EVERY_MS = 60_000;
/** A broker that did not answer is not asked before the others for so long: a frozen one costs its whole time limit. */
const FAILED_LATELY_MS = 10_000;
const NOBODY: ReadonlySet<number> = new Set();

interface Node {
  readonly id: number;
  readonly address: Address;
  readonly control: ControlSlot;
  readonly queue: ProduceQueue;
  /** Monotonic milliseconds of the last time it did not answer, 0 if it has answered since. */
  failedAtMs: number;
}

/** One of the ways to somebody who can answer. */
interface Way {
  /** Undefined for a configured address: it is not known which broker answers there. */
  readonly nodeId: number | undefined;
  readonly slot: ControlSlot;
  answered(): void;
  failed(): void;
}

export type Ask<T> = (connection: ControlConnection, nodeId: number | undefined) => Promise<T>;

export class Brokers {
  /** For control requests; connecting may take this long, and logging in again this long. */
  readonly controlTimeoutMs: number;
  /** The milliseconds that brokers made us wait, added up. */
  throttledMs = 0;

  readonly #warnOfQuota: () => void;
  readonly #options: KafkaClientOptions;
  readonly #connector: Connector;
  readonly #nodes = new Map<number, Node>();
  /** To one of the configured addresses; only used until there is a connection to a node. */
  readonly #seed: ControlSlot;
  #nextBootstrap = 0;
  /** From the latest Metadata answers: the cluster, and a topic that a broker can be asked about. */
  #known: { readonly clusterId?: string; readonly topic?: string } = {};

  constructor(options: KafkaClientOptions, log: Logger) {
    this.#options = options;
    this.#warnOfQuota = rateLimited({ everyMs: QUOTA_WARNING_EVERY_MS }, (count) =>
      log.warn(
        { throttledMs: Math.round(this.throttledMs), count },
        'Kafka makes the gateway wait because of a quota. Batches wait in memory; if it fills, devices are paused. ' +
          'Nothing is lost. Raise the quota of the client id or the user (kafka-configs)',
      ),
    );
    const part = options.requestTimeoutMs * CONTROL_PART;
    this.controlTimeoutMs = Math.min(MAX_CONTROL_TIMEOUT_MS, Math.max(MIN_CONTROL_TIMEOUT_MS, part));
    this.#connector = new Connector(options, { timeoutMs: this.controlTimeoutMs, log });
    this.#seed = new ControlSlot(() => this.#connector.control(this.#bootstrapAddress(), true));
  }

  get isConnected(): boolean {
    if (this.#seed.isConnected) return true;
    return [...this.#nodes.values()].some(({ control, queue }) => control.isConnected || queue.isConnected);
  }

  get isThrottled(): boolean {
    return [...this.#nodes.values()].some(({ queue }) => queue.isThrottled);
  }

  /** @throws ClusterError if the cluster has no such broker */
  queueOf(nodeId: number): ProduceQueue {
    return this.#node(nodeId).queue;
  }

  /** The broker did not answer a produce request: others are asked before it. */
  failed(nodeId: number): void {
    const node = this.#nodes.get(nodeId);
    if (node !== undefined) node.failedAtMs = performance.now();
  }

  /** Asks one broker. Rejects with ClusterError, or with the AnswerError that `ask` did. */
  async askNode<T>(nodeId: number, ask: Ask<T>): Promise<T> {
    return await this.#askBy(this.#wayTo(this.#node(nodeId)), ask);
  }

  /**
   * Asks brokers until one answers.
   * @param askLast brokers by node id that are asked only if the others do not answer, or have failed lately
   */
  async askAny<T>(ask: Ask<T>, askLast: ReadonlySet<number> = NOBODY): Promise<T> {
    const now = performance.now();
    const rank = ({ id, failedAtMs }: Node) => {
      if (failedAtMs > 0 && now - failedAtMs < FAILED_LATELY_MS) return 2;
      return askLast.has(id) ? 1 : 0;
    };
    // One that has not answered lately comes last: a frozen broker takes connections and costs every one its timeout.
    const nodes = shuffled([...this.#nodes.values()])
      .sort((a, b) => rank(a) - rank(b) || a.failedAtMs - b.failedAtMs)
      .map((node) => this.#wayTo(node));
    const seeds = this.#options.brokers.map(() => ({
      nodeId: undefined,
      slot: this.#seed,
      answered: () => undefined,
      failed: () => this.#seed.retire(),
    }));
    // While logins are refused only the first may try: not always the same, or one broker could bar all others.
    const ways = this.#connector.isLoginRefused ? shuffled([...nodes, ...seeds]) : [...nodes, ...seeds];
    let last: unknown;
    for (const way of ways) {
      try {
        return await this.#askBy(way, ask);
      } catch (error) {
        if (error instanceof AnswerError) throw error;
        last = error;
      }
    }
    throw last;
  }

  /**
   * Takes over the brokers of a Metadata answer. Connections to a broker that has moved or left are dropped.
   * @param isDoubted the answer may be old: brokers that it does not name are kept, so that they can be asked
   */
  learn({ brokers, clusterId, topicMetadata: [about] }: MetadataAnswer, isDoubted = false): void {
    const before = this.#known.clusterId;
    // Another cluster behind the same addresses: connections that are still open lead to the old one.
    const isOther = before !== undefined && clusterId !== null && clusterId !== before;
    this.#known = {
      ...this.#known,
      ...(clusterId !== null && { clusterId }),
      ...(about !== undefined && { topic: about.topic }),
    };
    const current = new Map(brokers.map((broker) => [broker.nodeId, broker]));
    for (const [nodeId, { address }] of this.#nodes) {
      const now = current.get(nodeId);
      const hasMoved = now !== undefined && (now.host !== address.host || now.port !== address.port);
      const hasLeft = now === undefined && !isDoubted;
      if (isOther || hasMoved || hasLeft) this.#forget(nodeId);
    }
    for (const { nodeId, host, port } of brokers) {
      if (!this.#nodes.has(nodeId)) this.#nodes.set(nodeId, this.#newNode(nodeId, { host, port }));
    }
  }

  /** Drops every connection at once. */
  close(): void {
    this.#connector.close();
    for (const { control, queue } of this.#nodes.values()) {
      control.close();
      queue.close('the client is closed');
    }
    this.#seed.close();
  }

  #node(nodeId: number): Node {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) throw new ClusterError('UNREACHABLE', `broker ${nodeId} is not known`);
    return node;
  }

  #newNode(nodeId: number, address: Address): Node {
    return {
      id: nodeId,
      address,
      failedAtMs: 0,
      control: new ControlSlot(async (mayRetryLogin) => {
        const connection = await this.#connector.control(address, mayRetryLogin);
        // The address that was asked first is not needed beside the broker it led to.
        this.#seed.retire();
        return connection;
      }),
      queue: new ProduceQueue({
        connect: (events) => this.#connectForProduce(nodeId, address, events),
        throttled: (ms) => {
          this.throttledMs += ms;
          this.#warnOfQuota();
        },
      }),
    };
  }

  async #connectForProduce(
    nodeId: number,
    address: Address,
    events: ProduceConnectionEvents,
  ): Promise<ProduceConnection> {
    try {
      return await this.#connector.produce(address, {
        events,
        verify: (connection) => this.#verifyCluster(connection),
      });
    } catch (error) {
      this.failed(nodeId);
      if (!(error instanceof ClusterError) || !NO_CONNECTION.has(error.code)) throw error;
      throw new ClusterError(
        error.code,
        `broker ${nodeId} cannot be reached at ${addressText(address)} (${error.message}): that is the address in its ` +
          'advertised.listeners; it must be one that Sluice can connect to',
        { cause: error },
      );
    }
  }

  /**
   * Another cluster may stand behind the same address since the connection before this one. A batch in flight then is
   * stamped for the former cluster, and must not reach this one before its stamp is renewed.
   */
  async #verifyCluster(connection: ControlConnection): Promise<void> {
    const { clusterId: expected, topic } = this.#known;
    if (expected === undefined || topic === undefined) return;
    const payload = { topics: [topic], allowAutoTopicCreation: false };
    const { clusterId } = await connection.ask('Metadata', payload, this.controlTimeoutMs);
    if (clusterId === null || clusterId === expected) return;
    throw new ClusterError(
      'PROTOCOL',
      `${connection.address} belongs to the cluster ${clusterId} now and not to ${expected}`,
    );
  }

  #forget(nodeId: number): void {
    const node = this.#nodes.get(nodeId);
    this.#nodes.delete(nodeId);
    node?.control.close();
    node?.queue.close(`broker ${nodeId} has moved or left the cluster`);
  }

  #wayTo(node: Node): Way {
    return {
      nodeId: node.id,
      slot: node.control,
      answered: () => {
        node.failedAtMs = 0;
      },
      failed: () => {
        node.failedAtMs = performance.now();
        node.control.retire();
      },
    };
  }

  async #askBy<T>({ nodeId, slot, answered, failed }: Way, ask: Ask<T>): Promise<T> {
    try {
      const connection = await slot.get(true);
      const answer = await ask(connection, nodeId);
      answered();
      return answer;
    } catch (error) {
      // A broker that answers with an error, or lacks a version, is fine as a broker.
      const isItsAnswer = error instanceof AnswerError;
      if (!isItsAnswer && !(error instanceof ClusterError && error.code === 'UNSUPPORTED')) failed();
      throw error;
    }
  }

  #bootstrapAddress(): Address {
    const text = this.#options.brokers[this.#nextBootstrap++ % this.#options.brokers.length] ?? '';
    const colon = text.lastIndexOf(':');
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
  }
}

const NO_CONNECTION: ReadonlySet<ClusterErrorCode> = new Set(['UNREACHABLE', 'TIMEOUT']);

function shuffled<T>(items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}
