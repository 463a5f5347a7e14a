// One simulated broker as a process: it runs, is frozen or is down; it has replicas, follows the leaders of others, and
// answers requests through its connections. Work that a killed broker had not begun never happens; its logs stay.
import type { BrokerClock } from './clock.ts';
import { BrokerConnection } from './connection.ts';
import type { Controller } from './controller.ts';
import { CODE } from './error-codes.ts';
import { type Image, type NodeAddress, type PartitionImage, partitionKey } from './image.ts';
import type { LoginRules } from './logins.ts';
import { Quota } from './quota.ts';
import { Replica } from './replica.ts';
import { type BrokerSocket, reset } from './socket.ts';
import type { StoredRecord } from './stored-batch.ts';

/** Rights that a test can take from the client. `idempotent-write` is one on the cluster: its topic is empty. */
export type Right = 'write' | 'read' | 'describe' | 'create' | 'describe-configs' | 'idempotent-write';

/** A broker that answers every batch with one error code. */
export interface FixedAnswer {
  readonly code: number;
  /** The batch is written all the same, if it can be. */
  readonly isWritten: boolean;
}

/** Signs of a client that does not behave. */
export interface ClientCounts {
  /** Monotonic milliseconds of each login with a wrong password. */
  readonly refusedLoginsAtMs: number[];
  /** Times that a client went on to send on a connection after it had heard that the broker reads nothing. */
  sentWhileMuted: number;
  /** Milliseconds for which connections were muted, in all. */
  mutedMs: number;
}

/** Shared by the brokers of a cluster. */
export interface ClusterContext {
  readonly clock: BrokerClock;
  readonly logins: LoginRules;
  readonly counts: ClientCounts;
  readonly takesUnknownProducers: boolean;
  /** Tells the trace of something that a client meets. */
  readonly note: (words: string) => void;
  /** Milliseconds until a follower has a batch that its leader has taken. */
  readonly replicationMs: () => number;
  /** Milliseconds until a request is handled. */
  readonly serviceMs: () => number;
  /** A larger request closes its connection. */
  maxRequestBytes: number;
  /** connections.max.idle.ms */
  readonly maxIdleMs: number;
  node(nodeId: number): BrokerNode | undefined;
  /** False if the two brokers cannot reach each other. */
  canTalk(a: number, b: number): boolean;
  /** Tells the controller. @returns the version of the partition from which on the replica is in sync */
  caughtUp(replica: Replica, nodeId: number): number | undefined;
  /** A rule of the test for the records of a topic. */
  refusalOf(topic: string): (record: StoredRecord) => number;
  /** The answer to every batch of the topic, in place of the right one. */
  answerOf(topic: string): FixedAnswer | undefined;
  /** True if the client lacks this right. */
  denied(right: Right, topic: string): boolean;
  controller(): Controller;
  /** The first of a block of producer ids; undefined while the controller does not answer. */
  newProducerIds(): bigint | undefined;
}

/** As many ids as Kafka gives a broker at once. */
export const PRODUCER_ID_BLOCK = 1000n;

export class BrokerNode {
  readonly address: NodeAddress;
  readonly quota = new Quota();
  /** As this broker knows the cluster. */
  image: Image;
  readonly replicas = new Map<string, Replica>();
  readonly context: ClusterContext;
  #state: 'up' | 'down' = 'up';
  #isFrozen = false;
  /** Rises with each end of the process. */
  #life = 0;
  #waitsForThaw: (() => void)[] = [];
  /** Producer ids that this broker may still give. */
  #producerIds: { next: bigint; readonly end: bigint } | undefined;
  readonly #connections = new Set<BrokerConnection>();
  readonly #following = new Set<string>();

  constructor(address: NodeAddress, image: Image, context: ClusterContext) {
    this.address = address;
    this.image = image;
    this.context = context;
  }

  get id(): number {
    return this.address.nodeId;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** Up and not frozen. */
  get runs(): boolean {
    return this.#state === 'up' && !this.#isFrozen;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Serves a connection that a client has made to this broker. */
  serve(socket: BrokerSocket): void {
    if (!this.isUp) {
      reset(socket);
      return;
    }
    const connection = new BrokerConnection(this, socket);
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
    if (this.#isFrozen) connection.hold();
  }

  /** Runs `work` in this life of the process. While it is frozen, the work waits. */
  after(delayMs: number, work: () => void): () => void {
    const life = this.#life;
    let isDone = false;
    const run = () => {
      if (isDone || life !== this.#life) return;
      if (this.#isFrozen) {
        this.#waitsForThaw.push(run);
        return;
      }
      isDone = true;
      work();
    };
    const timer = this.context.clock.after(delayMs, run);
    return () => {
      isDone = true;
      timer.cancel();
    };
  }

  freeze(): void {
    this.#isFrozen = true;
    for (const connection of this.#connections) connection.hold();
  }

  thaw(): void {
    this.#isFrozen = false;
    const work = this.#waitsForThaw;
    this.#waitsForThaw = [];
    for (const run of work) run();
    for (const connection of this.#connections) connection.release();
    for (const replica of this.replicas.values()) this.#resume(replica);
  }

  /** @param how with `in order` clients see the end of their connections, else a reset */
  end(how: 'at once' | 'in order'): void {
    this.#state = 'down';
    this.#life++;
    this.#isFrozen = false;
    this.#waitsForThaw = [];
    this.#following.clear();
    this.#producerIds = undefined;
    for (const replica of this.replicas.values()) replica.drop();
    for (const connection of [...this.#connections]) connection.end(how === 'at once');
    this.#connections.clear();
  }

  begin(image: Image): void {
    this.#state = 'up';
    this.image = { ...image, version: -1 };
    this.learn(image);
  }

  /** A new producer id; undefined while this broker fetches a block of them, for which it does not wait. */
  producerId(): bigint | undefined {
    const ids = this.#producerIds;
    if (ids !== undefined && ids.next < ids.end) return ids.next++;
    this.after(this.context.replicationMs(), () => {
      const first = this.#producerIds === ids ? this.context.newProducerIds() : undefined;
      if (first !== undefined) this.#producerIds = { next: first, end: first + PRODUCER_ID_BLOCK };
    });
    return undefined;
  }

  /** Takes an image of the cluster, unless a later one has come before. */
  learn(image: Image): void {
    if (image.version <= this.image.version) return;
    this.image = image;
    const present = new Set<string>();
    for (const topic of image.topics.values()) {
      for (const [index, partition] of topic.partitions.entries()) {
        if (!partition.replicas.includes(this.id)) continue;
        const key = partitionKey(topic.id, index);
        present.add(key);
        const replica = this.#replicaOf(key, { topicId: topic.id, topic: topic.name, partition: index });
        if (replica.become(partition)) this.#resume(replica);
      }
    }
    for (const [key, replica] of this.replicas) {
      if (present.has(key)) continue;
      this.replicas.delete(key);
      const isMoved = image.topics.get(replica.topic)?.id === replica.topicId;
      replica.drop(isMoved ? CODE.notLeader : CODE.unknownTopic);
    }
  }

  /** The replica that leads the partition here, or the error code of a request for it. */
  leaderOf(topic: string, partition: number): Replica | number {
    const found = this.image.topics.get(topic);
    if (found?.partitions[partition] === undefined) return CODE.unknownTopic;
    const replica = this.replicas.get(partitionKey(found.id, partition));
    return replica?.isLeader ? replica : CODE.notLeader;
  }

  /** Gets a replica with the log of another one, before the controller names this broker for the partition. */
  adopt({ topicId, topic, partition, log }: Replica): void {
    const replica = this.#replicaOf(partitionKey(topicId, partition), { topicId, topic, partition });
    if (!replica.isLeader) replica.log.copyFrom(log);
  }

  /** Tells the followers of a replica that there is more. */
  wakeFollowers(replica: Replica): void {
    const key = partitionKey(replica.topicId, replica.partition);
    for (const nodeId of this.#imageOf(replica)?.replicas ?? [])
      if (nodeId !== this.id) this.context.node(nodeId)?.follow(key);
  }

  /** Copies from the leader after the time that a fetch takes. */
  follow(key: string): void {
    if (this.#following.has(key) || !this.isUp) return;
    this.#following.add(key);
    this.after(this.context.replicationMs(), () => {
      this.#following.delete(key);
      const replica = this.replicas.get(key);
      if (replica !== undefined && !replica.isLeader) this.#copy(key, replica);
    });
  }

  #copy(key: string, replica: Replica): void {
    const leader = this.context.node(this.#imageOf(replica)?.leader ?? -1);
    const theirs = leader?.replicas.get(key);
    if (leader === undefined || theirs === undefined || !leader.runs) return;
    if (!theirs.isLeader || theirs.epoch !== replica.epoch) return;
    if (!this.context.canTalk(this.id, leader.id)) return;
    replica.log.copyFrom(theirs.log);
    if (!theirs.followerAt(this.id, replica.log.end)) return;
    const version = this.context.caughtUp(theirs, this.id);
    if (version !== undefined) theirs.joins(this.id, version);
  }

  /** A leader may have followers that wait, and a follower may lag behind. */
  #resume(replica: Replica): void {
    if (replica.isLeader) this.wakeFollowers(replica);
    else this.follow(partitionKey(replica.topicId, replica.partition));
  }

  /** Again after a link between brokers was mended. */
  resumeAll(): void {
    for (const replica of this.replicas.values()) this.#resume(replica);
  }

  #imageOf({ topic, topicId, partition }: Replica): PartitionImage | undefined {
    const found = this.image.topics.get(topic);
    return found?.id === topicId ? found.partitions[partition] : undefined;
  }

  #replicaOf(key: string, about: { topicId: number; topic: string; partition: number }): Replica {
    const kept = this.replicas.get(key);
    if (kept !== undefined) return kept;
    const { takesUnknownProducers: takesUnknown } = this.context;
    const made = new Replica(about, { nodeId: this.id, takesUnknown });
    this.replicas.set(key, made);
    return made;
  }
}
