// A simulated Kafka cluster, and every fault that a test or a plan can make. It follows the rules of Kafka 4.1, which
// test/simulation/brokers.test.ts holds it to.
import {
  type ClientCounts,
  type ClusterContext,
  type FixedAnswer,
  PRODUCER_ID_BLOCK,
  type Right,
} from './broker-node.ts';
import { type BrokersOptions, Cluster, DEFAULTS } from './cluster.ts';
import type { Decision, NewTopic } from './controller.ts';
import { partitionKey } from './image.ts';
import type { LoginRules } from './logins.ts';
import type { Replica } from './replica.ts';
import type { StoredRecord } from './stored-batch.ts';
import type { TopicSettings } from './topic-config.ts';

export type { BrokersOptions, Listen, Listener } from './cluster.ts';

/** One life of a topic, for a judge that has to know where each record has been. */
export interface TopicHistory {
  readonly clusterId: string;
  readonly topic: string;
  readonly topicId: number;
  /**
   * All records by partition that readers ever could have: those that compaction or retention removed are still here. A
   * broker may take some for a short time after a topic was deleted.
   */
  readonly partitions: () => StoredRecord[][];
}

const NO_RULE = () => 0;

export class Brokers extends Cluster {
  readonly counts: ClientCounts = { refusedLoginsAtMs: [], sentWhileMuted: 0, mutedMs: 0 };
  /** Topics that were deleted, or went with their cluster. */
  readonly #former: TopicHistory[] = [];
  readonly #rules = new Map<string, (record: StoredRecord) => number>();
  readonly #answers = new Map<string, FixedAnswer>();
  readonly #denied = new Set<string>();
  readonly #logins: LoginRules = { isRequired: false, users: new Map(), lifetimeMs: 0 };
  readonly #context: ClusterContext;
  #nextProducerId = 0n;
  #skewMs = 0;

  private constructor(options: BrokersOptions) {
    super(options);
    this.#context = this.#contextOf(options);
  }

  /** Resolves when every broker listens. */
  static async start(options: BrokersOptions): Promise<Brokers> {
    const brokers = new Brokers(options);
    await brokers.open(brokers.#context);
    return brokers;
  }

  /** Ends every fault. Resolves when all brokers serve. Topics and their settings stay. */
  async heal(): Promise<void> {
    for (const id of this.nodeIds) {
      this.thaw(id);
      this.rejoin(id);
    }
    this.quota(Infinity);
    this.#rules.clear();
    this.#answers.clear();
    this.#denied.clear();
    this.skew(0);
    this.limitRequests(this.options.maxRequestBytes ?? DEFAULTS.maxRequestBytes);
    await Promise.all(this.nodeIds.map((id) => this.start(id)));
  }

  createTopic(topic: NewTopic): Decision {
    this.note(`topic ${topic.name} is created`);
    return this.controller.create(topic);
  }

  deleteTopic(name: string): void {
    this.note(`topic ${name} is deleted`);
    this.#bury(name);
    this.controller.delete(name);
  }

  /** Deleted, and at once created with so many partitions and the former settings. */
  recreate(name: string, partitions: number): void {
    const old = this.controller.image.topics.get(name);
    const replication = old?.partitions[0]?.replicas.length ?? -1;
    this.deleteTopic(name);
    this.createTopic({ name, partitions, replication, settings: old?.settings ?? {} });
  }

  addPartitions(name: string, count: number): void {
    this.note(`topic ${name} gets ${count} partitions`);
    this.controller.addPartitions(name, count);
  }

  /** Changes settings, such as max.message.bytes, min.insync.replicas or message.timestamp.type. */
  limits(name: string, settings: TopicSettings): void {
    this.note(`topic ${name} gets ${JSON.stringify(settings)}`);
    this.controller.configure(name, settings);
  }

  /** @returns false if no other replica in sync is alive */
  moveLeader(name: string, partition: number, to?: number): boolean {
    const isMoved = this.controller.move(name, partition, to);
    if (isMoved) this.note(`another broker leads ${name}/${partition}`);
    return isMoved;
  }

  /**
   * The partition moves to these brokers, with its log, and the first of them leads it.
   * @returns false if one of them, or the leader, does not run
   */
  reassign(name: string, partition: number, nodeIds: readonly number[]): boolean {
    const source = this.#best(name, partition);
    const leader = this.controller.image.topics.get(name)?.partitions[partition]?.leader ?? -1;
    const all = [...new Set([leader, ...nodeIds])].map((id) => this.nodes.get(id));
    const able = all.filter((node) => node?.runs && !this.isolated.has(node.id));
    if (source === undefined || able.length < all.length) return false;
    this.note(`${name}/${partition} moves to ${nodeIds.join()}`);
    for (const id of nodeIds) this.node(id).adopt(source);
    this.controller.reassign(name, partition, nodeIds);
    // At once: Kafka adds replicas before it removes any, so no acknowledged batch is left behind.
    for (const node of able) node?.learn(this.controller.image);
    return true;
  }

  compact(name: string, partition: number): void {
    this.note(`${name}/${partition} is compacted`);
    for (const replica of this.#replicasOf(name, partition)) replica.log.compact();
  }

  /** As retention does. */
  deleteBefore(name: string, partition: number, offset: number): void {
    for (const replica of this.#replicasOf(name, partition)) replica.log.deleteBefore(offset);
  }

  /** As after producer.id.expiration.ms without a batch. */
  expireProducerIds(): void {
    this.note('the brokers forget all producers');
    for (const node of this.nodes.values())
      for (const { log } of node.replicas.values()) log.forgetProducers();
  }

  /** @param bytesPerSecond of producers to each broker; Infinity = none */
  quota(bytesPerSecond: number): void {
    this.note(`the quota is ${bytesPerSecond} bytes a second`);
    for (const { quota } of this.nodes.values()) quota.bytesPerSecond = bytesPerSecond;
  }

  /** New connections need a login from now on, or none; and connections whose login has ended may ask nothing. */
  logins(rules: Partial<LoginRules>): void {
    Object.assign(this.#logins, rules);
  }

  /** @param rule the error code for a record of the topic, 0 if it is taken; undefined = no rule */
  refuse(topic: string, rule: ((record: StoredRecord) => number) | undefined): void {
    if (rule === undefined) this.#rules.delete(topic);
    else this.#rules.set(topic, rule);
  }

  /** @param answer to every batch of the topic; undefined = the right ones */
  answer(topic: string, answer: FixedAnswer | undefined): void {
    if (answer === undefined) this.#answers.delete(topic);
    else this.#answers.set(topic, answer);
  }

  deny(right: Right, topic = ''): void {
    this.#denied.add(`${right} ${topic}`);
  }

  allow(right: Right, topic = ''): void {
    this.#denied.delete(`${right} ${topic}`);
  }

  /** Milliseconds by which the brokers' wall clocks are ahead. */
  skew(ms: number): void {
    this.#skewMs = ms;
  }

  /** A request of more bytes closes its connection. */
  limitRequests(bytes: number): void {
    this.#context.maxRequestBytes = bytes;
  }

  /** Records that readers can have now, in order. */
  log(name: string, partition: number): StoredRecord[] {
    return this.#best(name, partition)?.log.records() ?? [];
  }

  /** The offset after the last record that readers can have. */
  end(name: string, partition: number): number {
    return this.#best(name, partition)?.log.highWatermark ?? 0;
  }

  /** Every topic that there is or was, of this cluster and of wiped ones, those that are gone first. */
  histories(): TopicHistory[] {
    const present = [...this.controller.image.topics.keys()].map((name) => this.#historyOf(name));
    return [...this.#former, ...present];
  }

  protected override burying(): void {
    for (const name of this.image.topics.keys()) this.#bury(name);
    this.#nextProducerId = 0n;
  }

  #bury(name: string): void {
    if (this.controller.image.topics.has(name)) this.#former.push(this.#historyOf(name));
  }

  #historyOf(name: string): TopicHistory {
    const topic = this.controller.image.topics.get(name);
    const logs = topic?.partitions.map((_, i) => this.#best(name, i)?.log) ?? [];
    return {
      clusterId: this.clusterId,
      topic: name,
      topicId: topic?.id ?? -1,
      partitions: () => logs.map((log) => log?.history() ?? []),
    };
  }

  /** The leader, or the replica in sync that has most. */
  #best(name: string, partition: number): Replica | undefined {
    const image = this.controller.image.topics.get(name)?.partitions[partition];
    const all = this.#replicasOf(name, partition, image?.isr);
    const leader = this.#replicasOf(name, partition, [image?.leader ?? -1])[0];
    return leader ?? all.sort((a, b) => b.log.end - a.log.end)[0];
  }

  #replicasOf(name: string, partition: number, nodeIds: readonly number[] = this.nodeIds): Replica[] {
    const topic = this.controller.image.topics.get(name);
    const key = partitionKey(topic?.id ?? -1, partition);
    return nodeIds.flatMap((id) => this.nodes.get(id)?.replicas.get(key) ?? []);
  }

  #contextOf(options: BrokersOptions): ClusterContext {
    const { clock, serviceMs = () => 0, replicationMs = () => 1 } = options;
    return {
      clock: { ...clock, wallMs: () => clock.wallMs() + this.#skewMs },
      logins: this.#logins,
      counts: this.counts,
      note: (words) => this.note(words),
      takesUnknownProducers: options.takesUnknownProducers ?? true,
      replicationMs,
      serviceMs,
      maxRequestBytes: options.maxRequestBytes ?? DEFAULTS.maxRequestBytes,
      maxIdleMs: options.maxIdleMs ?? DEFAULTS.maxIdleMs,
      node: (nodeId) => this.nodes.get(nodeId),
      canTalk: (a, b) => !this.isolated.has(a) && !this.isolated.has(b),
      caughtUp: ({ topicId, partition, epoch }, nodeId) =>
        this.controller.caughtUp(topicId, partition, { nodeId, epoch }),
      refusalOf: (topic) => this.#rules.get(topic) ?? NO_RULE,
      answerOf: (topic) => this.#answers.get(topic),
      denied: (right, topic) => this.#denied.has(`${right} ${topic}`),
      controller: () => this.controller,
      newProducerIds: () => {
        if (!this.controller.hasQuorum) return undefined;
        this.#nextProducerId += PRODUCER_ID_BLOCK;
        return this.#nextProducerId - PRODUCER_ID_BLOCK;
      },
    };
  }
}
