// One replica of a partition on a broker. As leader it takes batches, knows how far the followers are, and answers when
// all replicas in sync have a batch.
import { type CheckedBatch, checkBatch } from './batch-rules.ts';
import { CODE } from './error-codes.ts';
import type { PartitionImage } from './image.ts';
import { ReplicaLog } from './replica-log.ts';
import { type StoredRecord, store } from './stored-batch.ts';
import { rulesOf, type TopicSettings } from './topic-config.ts';

export interface AppendResult {
  readonly code: number;
  readonly baseOffset: number;
  /** The broker's clock with LogAppendTime, or the time of a batch that was there already, else -1. */
  readonly appendMs: number;
}

export interface AppendContext {
  readonly settings: TopicSettings;
  /** How many brokers have the partition: no more are needed in sync. */
  readonly replicas: number;
  readonly acks: number;
  readonly nowMs: number;
  readonly refuse: (record: StoredRecord) => number;
}

interface Waiting {
  readonly end: number;
  readonly needed: number;
  readonly done: (code: number) => void;
}

const refused = (code: number): AppendResult => ({ code, baseOffset: -1, appendMs: -1 });

export class Replica {
  readonly topicId: number;
  readonly topic: string;
  readonly partition: number;
  readonly log: ReplicaLog;
  readonly #nodeId: number;
  epoch = -1;
  isLeader = false;
  isr: readonly number[] = [];
  #ends = new Map<number, number>();
  /** Replicas that the controller has taken as in sync in a version of the partition that we have not seen. */
  #joining = new Map<number, number>();
  #waiting: Waiting[] = [];

  constructor(
    { topicId, topic, partition }: { topicId: number; topic: string; partition: number },
    { nodeId, takesUnknown }: { nodeId: number; takesUnknown: boolean },
  ) {
    this.topicId = topicId;
    this.topic = topic;
    this.partition = partition;
    this.#nodeId = nodeId;
    this.log = new ReplicaLog(takesUnknown);
  }

  /** Takes the word of the controller. @returns true if this replica's part has changed */
  become(image: PartitionImage): boolean {
    this.isr = image.isr;
    const leads = image.leader === this.#nodeId;
    const isChanged = image.epoch !== this.epoch || leads !== this.isLeader;
    if (isChanged) {
      this.epoch = image.epoch;
      this.isLeader = leads;
      this.#ends.clear();
      this.#joining.clear();
      this.#fail(CODE.notLeader);
    }
    for (const [nodeId, version] of this.#joining) if (version <= image.version) this.#joining.delete(nodeId);
    if (leads) this.#advance();
    return isChanged;
  }

  append(bytes: Buffer, context: AppendContext): AppendResult {
    const rules = rulesOf(context.settings);
    const needed = Math.min(rules.minInsync, context.replicas);
    if (context.acks === -1 && this.isr.length < needed) return refused(CODE.notEnoughReplicas);
    const checked = checkBatch(bytes, { rules, nowMs: context.nowMs, refuse: context.refuse });
    if (typeof checked === 'number') return refused(checked);
    const sequenced = this.log.producers.check(checked.batch);
    if (sequenced.kind === 'refused') return refused(sequenced.code);
    if (sequenced.kind === 'duplicate')
      // As Kafka does, whatever the topic says about times.
      return { code: CODE.none, baseOffset: sequenced.baseOffset, appendMs: sequenced.lastMs };
    return this.#take(checked, rules.isLogAppendTime ? context.nowMs : undefined);
  }

  #take({ batch, records }: CheckedBatch, appendMs: number | undefined): AppendResult {
    const { end: baseOffset, nextNumber: number } = this.log;
    this.log.append(store(batch, records, { number, baseOffset, epoch: this.epoch, appendMs }));
    this.#advance();
    return { code: CODE.none, baseOffset, appendMs: appendMs ?? -1 };
  }

  /**
   * Calls `done` when all replicas in sync have everything up to here.
   * @param needed how many have to be in sync then
   * @returns a function that gives up waiting
   */
  whenReplicated(needed: number, done: (code: number) => void): () => void {
    const waiting = { end: this.log.end, needed, done };
    this.#waiting.push(waiting);
    this.#settle();
    return () => {
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
    };
  }

  /** A follower has everything before this offset. @returns true if it could be in sync now and is not */
  followerAt(nodeId: number, end: number): boolean {
    this.#ends.set(nodeId, end);
    this.#advance();
    const isKnown = this.isr.includes(nodeId) || this.#joining.has(nodeId);
    return !isKnown && end >= this.log.highWatermark;
  }

  /** From now on nothing is acknowledged without this replica, which may be elected before we hear that it is in sync. */
  joins(nodeId: number, version: number): void {
    this.#joining.set(nodeId, version);
  }

  /** The process has ended, or the partition is gone: no waiting request is answered. */
  drop(code?: number): void {
    if (code === undefined) this.#waiting = [];
    else this.#fail(code);
    this.isLeader = false;
    this.epoch = -1;
  }

  #advance(): void {
    const ends = [...this.isr, ...this.#joining.keys()].map((id) =>
      id === this.#nodeId ? this.log.end : (this.#ends.get(id) ?? 0),
    );
    const lowest = ends.length === 0 ? 0 : Math.min(...ends);
    this.log.highWatermark = Math.max(this.log.highWatermark, lowest);
    this.#settle();
  }

  #settle(): void {
    const isReplicated = ({ end }: Waiting) => end <= this.log.highWatermark;
    const due = this.#waiting.filter(isReplicated);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => !isReplicated(one));
    for (const { needed, done } of due)
      done(this.isr.length >= needed ? CODE.none : CODE.notEnoughReplicasAfterAppend);
  }

  #fail(code: number): void {
    const lost = this.#waiting;
    this.#waiting = [];
    for (const { done } of lost) done(code);
  }
}
