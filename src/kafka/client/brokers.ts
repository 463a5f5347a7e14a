// Knows the brokers of the cluster: the address of each, one control connection and one queue of Produce requests to it,
// and which broker to ask next. It learns the addresses from Metadata answers, and never reads a record.

import type { LimitedLines } from '../../log/limited-lines.ts';
import type { Log } from '../../log/log.ts';
import { OPERATION_SECONDS } from '../../measure/buckets.ts';
import { Histogram } from '../../measure/histogram.ts';
import { AnswerError, ClusterError, type ClusterErrorCode } from './cluster-error.ts';
import { NEVER_REACHED } from './connect-advice.ts';
import { addressText, Connector, parseAddress } from './connector.ts';
import type { MetadataAnswer } from './control-apis.ts';
import { type ControlConnection, ControlSlot } from './control-connection.ts';
import type { Address, KafkaClientOptions } from './kafkajs.ts';
import type { ProduceConnection, ProduceConnectionEvents } from './produce-connection.ts';
import { ProduceQueue } from './produce-queue.ts';

/** Brokers answer control requests from memory, so this is a long time. */
const MIN_CONTROL_TIMEOUT_MS = 3000;
/** Upper bound if KAFKA_REQUEST_TIMEOUT is high: the network is slow then, and carries the data as well. */
const MAX_CONTROL_TIMEOUT_MS = 10_000;
/** Part of KAFKA_REQUEST_TIMEOUT that a control request gets, within these bounds. */
const CONTROL_PART = 1 / 3;
/** After a failure a broker is asked after the others for this long: a frozen broker costs a whole time limit. */
const FAILED_LATELY_MS = 10_000;
/** An offset of the clock that is older than this is forgotten. */
const CLOCK_KNOWN_MS = 10 * 60_000;
const NOBODY: ReadonlySet<number> = new Set();

interface Node {
  readonly id: number;
  readonly address: Address;
  readonly control: ControlSlot;
  readonly queue: ProduceQueue;
  /** Monotonic milliseconds of the last failure, 0 if the broker has answered since. */
  failedAtMs: number;
  /** The broker's clock less ours, and when that was known, in monotonic milliseconds. */
  clock: { readonly offsetMs: number; readonly atMs: number } | undefined;
}

/** Where a request may be sent: a known broker, or one of the configured addresses. */
interface Candidate {
  /** Undefined for a configured address: any broker may answer there. */
  readonly node: Node | undefined;
  readonly slot: ControlSlot;
}

export type Ask<T> = (connection: ControlConnection, nodeId: number | undefined) => Promise<T>;

export class Brokers {
  /** Time limit of a control request, and of connecting and of logging in, each. */
  readonly controlTimeoutMs: number;
  /** Milliseconds that brokers made us wait because of quotas, summed over all brokers. */
  throttledMs = 0;
  /** Seconds from each Produce request to its answer. */
  readonly produceTimes = new Histogram(OPERATION_SECONDS);

  readonly #lines: LimitedLines;
  readonly #options: KafkaClientOptions;
  readonly #connector: Connector;
  readonly #nodes = new Map<number, Node>();
  /** To one of the configured addresses. Retired once a broker was connected to under its own address. */
  readonly #seed: ControlSlot;
  /** Addresses of brokers that were connected to. */
  readonly #reached = new Set<string>();
  #nextBootstrap = 0;
  /** The cluster of the latest Metadata answers, and a topic that exists for asking a broker about its cluster. */
  #known: { readonly clusterId?: string; readonly topic?: string } = {};

  constructor(options: KafkaClientOptions, log: Log) {
    this.#options = options;
    this.#lines = log.limited();
    const part = options.requestTimeoutMs * CONTROL_PART;
    this.controlTimeoutMs = Math.min(MAX_CONTROL_TIMEOUT_MS, Math.max(MIN_CONTROL_TIMEOUT_MS, part));
    this.#connector = new Connector(options, { timeoutMs: this.controlTimeoutMs, log });
    this.#seed = new ControlSlot(() => this.#connector.control(this.#bootstrapAddress()));
  }

  get isConnected(): boolean {
    if (this.#seed.isConnected) return true;
    return [...this.#nodes.values()].some(({ control, queue }) => control.isConnected || queue.isConnected);
  }

  get loginRefusal(): Error | undefined {
    return this.#connector.loginRefusal;
  }

  /** The clock of a broker less ours, of the broker that differs most; undefined if none is known. */
  get clockOffsetMs(): number | undefined {
    const sinceMs = performance.now() - CLOCK_KNOWN_MS;
    const offsets = [...this.#nodes.values()].flatMap(({ clock }) =>
      clock !== undefined && clock.atMs >= sinceMs ? clock.offsetMs : [],
    );
    return offsets.sort((a, b) => Math.abs(b) - Math.abs(a))[0];
  }

  get isThrottled(): boolean {
    return [...this.#nodes.values()].some(({ queue }) => queue.isThrottled);
  }

  /** @throws ClusterError if the cluster has no such broker */
  queueOf(nodeId: number): ProduceQueue {
    return this.#node(nodeId).queue;
  }

  /** Asks one broker. Rejects with ClusterError, or with the AnswerError that `ask` rejected with. */
  async askNode<T>(nodeId: number, ask: Ask<T>): Promise<T> {
    const node = this.#node(nodeId);
    return await this.#askCandidate({ node, slot: node.control }, ask);
  }

  /**
   * Asks brokers one after the other until one answers.
   * @param askLast node ids of brokers to ask after the others, but before brokers that failed lately
   */
  async askAny<T>(ask: Ask<T>, askLast: ReadonlySet<number> = NOBODY): Promise<T> {
    const now = performance.now();
    const rank = ({ id, failedAtMs }: Node) => {
      if (failedAtMs > 0 && now - failedAtMs < FAILED_LATELY_MS) return 2;
      return askLast.has(id) ? 1 : 0;
    };
    // A frozen broker still takes connections, and each question to it costs a timeout. So failed brokers come last.
    const nodes = shuffle([...this.#nodes.values()])
      .sort((a, b) => rank(a) - rank(b) || a.failedAtMs - b.failedAtMs)
      .map((node): Candidate => ({ node, slot: node.control }));
    const seeds = this.#options.brokers.map(() => ({ node: undefined, slot: this.#seed }));
    // While logins are refused, only the first candidate may log in. Shuffle, so that one bad broker cannot bar the rest.
    const candidates = [...nodes, ...seeds];
    if (this.#connector.loginRefusal !== undefined) shuffle(candidates);
    let last: unknown;
    for (const candidate of candidates) {
      try {
        return await this.#askCandidate(candidate, ask);
      } catch (error) {
        if (error instanceof AnswerError) throw error;
        last = error;
      }
    }
    throw last;
  }

  /**
   * Adopts the brokers of a Metadata answer. Connections to a broker that has moved or left are dropped.
   * @param isDoubted true if the answer may be old: brokers that it does not name are kept, so that they can be asked
   */
  learn({ brokers, clusterId, topicMetadata: [about] }: MetadataAnswer, isDoubted = false): void {
    const before = this.#known.clusterId;
    // Another cluster behind the same addresses. Connections that are still open lead to the old one.
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

  /** Resolves when no byte of the Produce requests that were sent waits in this process. */
  async written(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map(({ queue }) => queue.written()));
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
    const node: Node = {
      id: nodeId,
      address,
      failedAtMs: 0,
      clock: undefined,
      control: new ControlSlot(async () => {
        const connection = await this.#connector
          .control(address)
          .catch((error: unknown) => Promise.reject(this.#explained(error, { nodeId, address })));
        this.#reached.add(addressText(address));
        // A broker is connected under its own address, so the configured address is not needed any more.
        this.#seed.retire();
        return connection;
      }),
      queue: new ProduceQueue({
        connect: (events) => this.#connectForProduce(nodeId, address, events),
        throttled: (ms) => {
          this.throttledMs += ms;
          this.#lines.write('quota_throttled', { throttledMs: Math.round(this.throttledMs) });
        },
        clock: (offsetMs) => {
          node.clock = { offsetMs, atMs: performance.now() };
        },
        answered: (ms) => this.produceTimes.record(ms / 1000),
        timedOut: () => this.#markFailed(nodeId),
      }),
    };
    return node;
  }

  /** The other brokers are then asked before it. */
  #markFailed(nodeId: number): void {
    const node = this.#nodes.get(nodeId);
    if (node !== undefined) node.failedAtMs = performance.now();
  }

  async #connectForProduce(
    nodeId: number,
    address: Address,
    events: ProduceConnectionEvents,
  ): Promise<ProduceConnection> {
    try {
      const connection = await this.#connector.produce(address, {
        events,
        verify: (connection) => this.#verifyCluster(connection),
      });
      this.#reached.add(addressText(address));
      return connection;
    } catch (error) {
      this.#markFailed(nodeId);
      throw this.#explained(error, { nodeId, address });
    }
  }

  /** An address that a broker advertises and that never worked is not the address of a broker that is down. */
  #explained(error: unknown, { nodeId, address }: { nodeId: number; address: Address }): unknown {
    if (!(error instanceof ClusterError) || !NO_CONNECTION.has(error.code)) return error;
    const text = addressText(address);
    const isProven = this.#reached.has(text) || this.#options.brokers.includes(text);
    const hint = isProven ? '' : NEVER_REACHED;
    return new ClusterError(error.code, `broker ${nodeId} cannot be reached at ${error.message}${hint}`, {
      cause: error,
    });
  }

  /**
   * Refuses a connection that leads to another cluster than the last one did. Batches are stamped with a producer id of
   * the former cluster and must not reach this one before they get a new stamp.
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

  async #askCandidate<T>({ node, slot }: Candidate, ask: Ask<T>): Promise<T> {
    try {
      const answer = await ask(await slot.get(), node?.id);
      if (node !== undefined) node.failedAtMs = 0;
      return answer;
    } catch (error) {
      // A broker that answers with an error, or lacks a version, has not failed.
      if (error instanceof AnswerError || (error instanceof ClusterError && error.code === 'UNSUPPORTED'))
        throw error;
      if (node !== undefined) node.failedAtMs = performance.now();
      slot.retire();
      throw error;
    }
  }

  #bootstrapAddress(): Address {
    const text = this.#options.brokers[this.#nextBootstrap++ % this.#options.brokers.length] ?? '';
    return parseAddress(text);
  }
}

const NO_CONNECTION: ReadonlySet<ClusterErrorCode> = new Set(['UNREACHABLE', 'TIMEOUT']);

function shuffle<T>(items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}
