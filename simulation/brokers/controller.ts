// The controller of a simulated cluster: topics, which brokers are alive, leaders and replicas in sync. Like a quorum
// that runs in the brokers, it decides nothing while half of them or more are down.
import type { BrokerClock, Cancel } from './clock.ts';
import { CODE } from './error-codes.ts';
import type { Image, NodeAddress, PartitionImage, TopicImage } from './image.ts';
import { refusalOf, type TopicSettings } from './topic-config.ts';

export interface ControllerOptions {
  readonly clock: BrokerClock;
  readonly nodes: readonly NodeAddress[];
  readonly clusterId: string;
  /** How long a broker that is silent counts as alive (broker.session.timeout.ms). */
  readonly sessionMs: number;
  /** Of a topic that is created with -1. */
  readonly defaultPartitions: number;
  readonly defaultReplication: number;
  readonly published: (image: Image) => void;
}

export interface NewTopic {
  readonly name: string;
  /** -1 = the default, as below. */
  readonly partitions?: number;
  readonly replication?: number;
  readonly settings?: TopicSettings;
}

/** Kafka's answer to the creation of a topic. */
export interface Decision {
  readonly code: number;
  readonly message: string | null;
}

const FINE: Decision = { code: CODE.none, message: null };
const LEGAL_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

export class Controller {
  image: Image;
  readonly #options: ControllerOptions;
  /** Silent brokers, and since when. */
  readonly #silent = new Map<number, number>();
  readonly #fenced = new Set<number>();
  #nextTopicId = 1;
  #timer: Cancel | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { clusterId, nodes } = options;
    const controllerId = nodes[0]?.nodeId ?? -1;
    this.image = { version: 1, clusterId, controllerId, brokers: nodes, topics: new Map() };
  }

  get hasQuorum(): boolean {
    return this.#silent.size * 2 < this.#options.nodes.length;
  }

  isAlive(nodeId: number): boolean {
    return !this.#fenced.has(nodeId);
  }

  /** When the controller takes the broker back: not while its former session lasts. */
  mayRegisterAtMs(nodeId: number): number {
    const since = this.#silent.get(nodeId);
    const isAlone = this.#options.nodes.length === 1;
    return since === undefined || isAlone || this.#fenced.has(nodeId) ? 0 : since + this.#options.sessionMs;
  }

  /** The broker is heard of no more. @param inOrder it said so itself, and counts as gone at once */
  silent(nodeId: number, inOrder = false): void {
    // With one broker the controller ends with it.
    if (inOrder && this.#options.nodes.length > 1) {
      this.#fenced.add(nodeId);
      this.#reconcile();
    }
    if (!this.#silent.has(nodeId)) this.#silent.set(nodeId, this.#options.clock.nowMs());
    this.#reconcile();
  }

  /** The broker is heard of. @param isNew it has started again, so its partitions get a new epoch */
  heard(nodeId: number, isNew: boolean): void {
    const was = this.#silent.delete(nodeId);
    this.#fenced.delete(nodeId);
    if (was || isNew) this.#reconcile(isNew ? nodeId : undefined);
  }

  create(topic: NewTopic, validateOnly = false): Decision {
    const { name, settings = {} } = topic;
    const { nodes, defaultPartitions, defaultReplication } = this.#options;
    const count = (topic.partitions ?? -1) === -1 ? defaultPartitions : (topic.partitions ?? -1);
    const replication = (topic.replication ?? -1) === -1 ? defaultReplication : (topic.replication ?? -1);
    const alive = nodes.map(({ nodeId }) => nodeId).filter((id) => !this.#fenced.has(id));
    if (!LEGAL_NAME.test(name)) return { code: CODE.invalidTopic, message: 'the topic name is invalid' };
    if (this.image.topics.has(name))
      return { code: CODE.topicAlreadyExists, message: `Topic '${name}' already exists.` };
    if (count < 1)
      return {
        code: CODE.invalidPartitions,
        message: 'Number of partitions was set to an invalid non-positive value.',
      };
    if (replication < 1 || replication > alive.length)
      return {
        code: CODE.invalidReplicationFactor,
        message: `Unable to replicate the partition ${replication} time(s): only ${alive.length} broker(s) are registered.`,
      };
    const refusal = refusalOf(settings);
    if (refusal !== undefined) return { code: CODE.invalidConfig, message: refusal };
    if (validateOnly) return FINE;
    const id = this.#nextTopicId++;
    const partitions = Array.from({ length: count }, (_, i) => placed(alive, id + i, replication));
    this.#set({ id, name, settings, partitions });
    return FINE;
  }

  /** @returns the topic as it was; undefined if there is none */
  delete(name: string): TopicImage | undefined {
    const topic = this.image.topics.get(name);
    if (topic === undefined) return undefined;
    const topics = new Map(this.image.topics);
    topics.delete(name);
    this.#publish({ topics });
    return topic;
  }

  addPartitions(name: string, count: number): void {
    const topic = this.#topic(name);
    const alive = this.#options.nodes.map(({ nodeId }) => nodeId).filter((id) => !this.#fenced.has(id));
    const replication = topic.partitions[0]?.replicas.length ?? 1;
    const more = Array.from({ length: Math.max(0, count - topic.partitions.length) }, (_, i) =>
      placed(alive, topic.id + topic.partitions.length + i, Math.min(replication, alive.length)),
    );
    this.#set({ ...topic, partitions: [...topic.partitions, ...more] });
  }

  configure(name: string, settings: TopicSettings): void {
    const topic = this.#topic(name);
    this.#set({ ...topic, settings: { ...topic.settings, ...settings } });
  }

  /**
   * Another replica in sync becomes the leader.
   * @param to default: the next one in sync that is alive
   * @returns false if there is no such replica
   */
  move(name: string, partition: number, to?: number): boolean {
    const old = this.#topic(name).partitions[partition];
    const able = old?.isr.filter((id) => id !== old.leader && !this.#silent.has(id)) ?? [];
    const leader = to === undefined ? able[0] : able.find((id) => id === to);
    if (old === undefined || leader === undefined) return false;
    this.#change(name, partition, { ...old, leader, epoch: old.epoch + 1 });
    return true;
  }

  /** Replaces the replicas, with `replicas[0]` as the leader. All of them must have the whole log by now. */
  reassign(name: string, partition: number, replicas: readonly number[]): void {
    const old = this.#topic(name).partitions[partition];
    const [leader = -1] = replicas;
    if (old !== undefined)
      this.#change(name, partition, { ...old, leader, epoch: old.epoch + 1, replicas, isr: replicas });
  }

  /**
   * A leader says that a replica has caught up.
   * @returns the version of the partition in which the replica is in sync; undefined if it does not become so
   */
  caughtUp(topicId: number, partition: number, about: { nodeId: number; epoch: number }): number | undefined {
    const topic = [...this.image.topics.values()].find(({ id }) => id === topicId);
    const old = topic?.partitions[partition];
    if (topic === undefined || old === undefined || old.epoch !== about.epoch || !this.hasQuorum)
      return undefined;
    if (this.#silent.has(about.nodeId)) return undefined;
    if (!old.isr.includes(about.nodeId))
      this.#change(topic.name, partition, { ...old, isr: [...old.isr, about.nodeId] });
    return this.image.topics.get(topic.name)?.partitions[partition]?.version;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #topic(name: string): TopicImage {
    const topic = this.image.topics.get(name);
    if (topic === undefined) throw new RangeError(`no topic ${name}`);
    return topic;
  }

  #change(name: string, index: number, partition: PartitionImage): void {
    const topic = this.#topic(name);
    const changed = { ...partition, version: partition.version + 1 };
    this.#set({ ...topic, partitions: topic.partitions.with(index, changed) });
  }

  #set(topic: TopicImage): void {
    this.#publish({ topics: new Map(this.image.topics).set(topic.name, topic) });
  }

  #publish(change: Partial<Image>): void {
    this.image = { ...this.image, ...change, version: this.image.version + 1 };
    this.#options.published(this.image);
  }

  /** Fences brokers that were silent for too long, and elects leaders. */
  #reconcile(restarted?: number): void {
    this.#timer?.cancel();
    if (!this.hasQuorum) return;
    const { clock, sessionMs, nodes } = this.#options;
    const now = clock.nowMs();
    let nextMs = Infinity;
    for (const [nodeId, sinceMs] of this.#silent) {
      if (sinceMs + sessionMs <= now) this.#fenced.add(nodeId);
      else if (!this.#fenced.has(nodeId)) nextMs = Math.min(nextMs, sinceMs + sessionMs - now);
    }
    if (nextMs < Infinity) this.#timer = clock.after(nextMs, () => this.#reconcile());
    const topics = new Map(
      [...this.image.topics].map(([name, topic]) => [
        name,
        { ...topic, partitions: topic.partitions.map((one) => this.#settled(one, restarted)) },
      ]),
    );
    const brokers = nodes.filter(({ nodeId }) => !this.#fenced.has(nodeId));
    const alive = brokers.find(({ nodeId }) => !this.#silent.has(nodeId));
    const controllerId = brokers.some(({ nodeId }) => nodeId === this.image.controllerId)
      ? this.image.controllerId
      : (alive?.nodeId ?? -1);
    this.#publish({ topics, brokers, controllerId });
  }

  #settled(old: PartitionImage, restarted: number | undefined): PartitionImage {
    const left = old.isr.filter((id) => !this.#fenced.has(id));
    // The last one in sync stays in the list: only it has all that was acknowledged.
    const isr = left.length > 0 ? left : old.isr.slice(-1);
    const isLed = old.leader >= 0 && !this.#fenced.has(old.leader) && old.leader !== restarted;
    const version = old.version + 1;
    if (isLed) return isr.length === old.isr.length ? old : { ...old, isr, version };
    const leader = old.replicas.find((id) => isr.includes(id) && !this.#fenced.has(id)) ?? -1;
    const epoch = leader === -1 && old.leader === -1 ? old.epoch : old.epoch + 1;
    return { ...old, leader, isr, epoch, version };
  }
}

/** Replicas one after the other from a first one, as Kafka spreads them. */
function placed(alive: readonly number[], first: number, replication: number): PartitionImage {
  const replicas = Array.from({ length: replication }, (_, i) => alive[(first + i) % alive.length] ?? -1);
  return { leader: replicas[0] ?? -1, epoch: 0, version: 0, replicas, isr: replicas };
}
