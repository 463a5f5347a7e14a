// Keeps a topic's metadata up to date: asks for the leaders until a broker answers, hands them to delivery and the
// batcher, creates the topic if it is missing, and has its limits read. It never touches a record.

import type { Log } from '../../log/log.ts';
import { backoffMs, pause } from '../../time/backoff.ts';
import type { BatchLimits } from '../batches/batch-merger.ts';
import type { Batcher } from '../batches/batcher.ts';
import type { ProducerIdentity } from '../batches/record-batch.ts';
import type { TopicLimits, TopicMetadata, TopicToCreate } from '../client/kafka-client.ts';
import { kafkaError } from '../wire/errors.ts';
import { LeaderConnections } from './leader-connections.ts';
import { LimitsReader, type LimitsTiming } from './limits-reader.ts';
import type { MetadataSource } from './metadata-source.ts';
import { createOtherTopics } from './other-topics.ts';
import { creationRefusal, isRefusedForNow } from './topic-creation.ts';
import { type DoubtTiming, TopicDoubt } from './topic-doubt.ts';
import { asTrouble, type CurrentTrouble, mayPass, refused, type Trouble, TroubleLog } from './trouble.ts';

export interface MetadataRefresherOptions {
  readonly brokers: readonly string[];
  /** The topic of the records. It is created if it is missing. */
  readonly topic: TopicToCreate;
  /** Topics that are created if they are missing, and which this delivery does not write to. */
  readonly others: readonly TopicToCreate[];
  readonly idempotent: boolean;
  /** KAFKA_TIMESTAMP. */
  readonly timestamp: 'received' | 'sent';
  /** The topic is meant to keep the newest record of each key only. Left out, all records. */
  readonly isCompacted?: boolean;
  /** Another refresher of the same cluster logs its state. */
  readonly quiet: boolean;
  readonly timing?: Partial<RefresherTiming>;
}

export interface RefresherTiming extends DoubtTiming {
  /** Back-off after failures. */
  readonly retry: { readonly firstMs: number; readonly maxMs: number };
  /** Interval of routine refreshes, which find new partitions. */
  readonly refreshEveryMs: number;
  readonly limits: LimitsTiming;
}

/** The part of Delivery that the refresher uses. */
export interface MetadataDelivery {
  /** Timestamp of the oldest record on disk, milliseconds since 1970; undefined if there is none. */
  readonly oldestSpooledMs: number | undefined;
  /** Returns the number of partitions to gather batches for; undefined if it does not change for now. */
  adoptPartitions(partitions: number, limits: BatchLimits): number | undefined;
  setLeaders(
    leaders: readonly number[],
    identity: ProducerIdentity | undefined,
    clusterId: string | undefined,
  ): void;
  unreachable(): void;
}

/** The part of Batcher that the refresher uses. */
export type MetadataBatcher = Pick<
  Batcher,
  'partitions' | 'mergeLimits' | 'maxMessageBytes' | 'setPartitions'
>;

const TIMING: RefresherTiming = {
  retry: { firstMs: 200, maxMs: 2000 },
  refreshEveryMs: 60_000,
  limits: { everyMs: 60 * 60_000, notWithinMs: 1_000 },
  // Enough for an operator who deletes a topic and creates it again with other settings.
  goneAfter: { times: 3, forMs: 5_000 },
  fewerAfter: { times: 3, forMs: 1_000 },
  fromOneForMs: 30_000,
};
/** This many failures in a row are not reported if a broker answers. They take about a second. */
const PATIENCE = 3;

export class MetadataRefresher {
  readonly #options: MetadataRefresherOptions;
  readonly #timing: RefresherTiming;
  readonly #source: MetadataSource;
  readonly #delivery: MetadataDelivery;
  readonly #batcher: MetadataBatcher;
  readonly #log: Log;
  readonly #abort = new AbortController();
  readonly #connections: LeaderConnections;
  readonly #limits: LimitsReader;
  readonly #doubt: TopicDoubt;
  readonly #trouble: TroubleLog;
  #refreshing = false;
  /** Ends the wait for the leaders' connections. Undefined if there is none. */
  #interrupt: (() => void) | undefined;
  /** The topic's number of partitions, undefined until a broker has named it. */
  #partitions: number | undefined;
  /** The leaders that delivery has, and their cluster. */
  #leaders: readonly number[] = [];
  #leadersOf: string | undefined;
  /** This process has created the topic, and no broker has named it yet. */
  #isCreated = false;
  /** The cluster id that a broker told last. */
  #clusterId: string | undefined;
  /** Producer id of that cluster. */
  #identity: ProducerIdentity | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    options: MetadataRefresherOptions,
    deps: { source: MetadataSource; delivery: MetadataDelivery; batcher: MetadataBatcher; log: Log },
  ) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#source = deps.source;
    this.#delivery = deps.delivery;
    this.#batcher = deps.batcher;
    this.#log = deps.log;
    this.#trouble = new TroubleLog({ topic: options.topic.topic, log: deps.log });
    this.#doubt = new TopicDoubt(options.topic.topic, this.#timing);
    this.#connections = new LeaderConnections((nodeId) => this.#source.connectTo(nodeId), {
      signal: this.#abort.signal,
    });
    this.#limits = new LimitsReader(
      {
        topic: options.topic.topic,
        timestamp: options.timestamp,
        isCompacted: options.isCompacted ?? false,
        ...this.#timing.limits,
      },
      {
        source: deps.source,
        apply: ({ maxMessageBytes }) => {
          if (maxMessageBytes !== undefined) deps.batcher.maxMessageBytes = maxMessageBytes;
        },
        oldestWaitingMs: () => deps.delivery.oldestSpooledMs,
        log: deps.log,
      },
    );
  }

  /** Why records cannot be delivered now. Null if the leaders are known and each has been connected to. */
  get problem(): string | null {
    return this.#trouble.current?.message ?? null;
  }

  /** As `problem`, with its cause. */
  get trouble(): CurrentTrouble | null {
    return this.#trouble.current;
  }

  /** The topic's number of partitions is known. */
  get known(): boolean {
    return this.#partitions !== undefined;
  }

  /** The topic's limits as last read. Undefined before that, or if the broker does not let us read them. */
  get limits(): TopicLimits | undefined {
    return this.#limits.current;
  }

  start(): void {
    this.refresh('start');
    this.#timer = setInterval(() => this.refresh('routine'), this.#timing.refreshEveryMs);
    this.#timer.unref();
  }

  /** Asks for the leaders until there is an answer. Calls in the meantime only end its wait for connections. */
  refresh(reason: string): void {
    if (this.#abort.signal.aborted) return;
    // A leader that cannot be reached must not delay the news that another partition has moved.
    this.#interrupt?.();
    if (this.#refreshing) return;
    this.#refreshing = true;
    this.#log.write('leaders_asked', { reason });
    void this.#refreshUntilDone().finally(() => {
      this.#refreshing = false;
    });
  }

  /** Reads the topic's limits again, for example after MESSAGE_TOO_LARGE. Never rejects. */
  refreshLimits(): Promise<void> {
    return this.#limits.read();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#abort.abort();
    this.#interrupt?.();
  }

  async #refreshUntilDone(): Promise<void> {
    const { signal } = this.#abort;
    for (let failures = 1; !signal.aborted; failures++) {
      const trouble = await this.#refreshOnce().catch(asTrouble);
      if (signal.aborted) return;
      if (trouble === null) {
        this.#trouble.end(this.#batcher.partitions);
        return;
      }
      if (trouble !== 'connecting' && !(trouble.mayPass && failures <= PATIENCE)) {
        this.#trouble.begin(trouble);
        if (!this.known) this.#delivery.unreachable();
      }
      await pause(backoffMs(failures, this.#timing.retry), signal);
    }
  }

  /** Null if the leaders are known and connected; 'connecting' if a call of refresh() ended the wait for connections. */
  async #refreshOnce(): Promise<Trouble | 'connecting' | null> {
    const { topic } = this.#options;
    let metadata = await this.#ask();
    if (isMissing(metadata)) {
      const trouble = await this.#create(metadata);
      if (trouble !== null) return trouble;
      metadata = await this.#ask();
      if (isMissing(metadata)) return mayPass(`topic ${topic.topic} was created and no broker names it yet`);
    }
    if (metadata.errorCode !== 0) {
      this.#doubt.interrupt();
      return refused(`topic ${topic.topic}`, metadata.errorCode);
    }
    if (metadata.leaders.length === 0) return mayPass(`topic ${topic.topic} has no partitions yet`);
    return this.#take(metadata);
  }

  /** Hands the leaders over. An answer with fewer partitions must be believed first (topic-doubt.ts). */
  async #take(metadata: TopicMetadata): Promise<Trouble | 'connecting' | null> {
    const before = this.#before;
    const isFewer = this.#hasFewer(metadata);
    const verdict = isFewer ? this.#doubt.ofFewer(metadata) : 'believed';
    if (verdict === 'doubted') return mayPass(this.#doubt.fewer(metadata, before, verdict));
    if (this.#isCreated) this.#logCreated(metadata.leaders.length);
    const taken = verdict === 'believed' ? metadata : this.#withFormerPartitions(metadata);
    await this.#prepare(taken);
    if (this.#abort.signal.aborted) return null;
    this.#apply(taken);
    this.#leaders = taken.leaders;
    this.#leadersOf = this.#clusterId;
    if (verdict === 'one-broker') {
      const message = this.#doubt.fewer(metadata, before, verdict);
      return { ...mayPass(message), cause: 'fewer', kind: 'FEWER', isPartial: true };
    }
    if (isFewer) this.#logFewer(metadata.leaders.length, before);
    this.#doubt.settle(metadata);
    return this.#connect(metadata);
  }

  /** While an answer is doubted, the brokers that gave it are asked last. */
  #ask(): Promise<TopicMetadata> {
    return this.#source.topicMetadata(this.#options.topic.topic, {
      askLast: this.#doubt.heardFrom,
      isDoubted: (answer) => this.#hasFewer(answer),
    });
  }

  /** The last known number of partitions, from this process or an earlier one; 0 if unknown. */
  get #before(): number {
    return this.#partitions ?? this.#batcher.partitions ?? 0;
  }

  /**
   * True if the answer has fewer partitions. It may be old: within a cluster, a topic only loses partitions if it is
   * deleted and created again.
   */
  #hasFewer({ leaders, clusterId }: TopicMetadata): boolean {
    return leaders.length < this.#before && !areDifferent(clusterId, this.#leadersOf);
  }

  /** The answer, with the former leaders for the partitions that it does not name. */
  #withFormerPartitions(metadata: TopicMetadata): TopicMetadata {
    const length = this.#before;
    const leaders = Array.from({ length }, (_, p) => metadata.leaders[p] ?? this.#leaders[p] ?? -1);
    return { ...metadata, leaders };
  }

  #logFewer(partitions: number, before: number): void {
    const { topic } = this.#options.topic;
    const log = this.#options.quiet ? this.#log.quiet() : this.#log;
    log.write('topic_has_fewer_partitions', {
      topic,
      partitions,
      before,
      brokers: [...this.#doubt.heardFrom],
    });
  }

  /** Creates the topic if no broker ever named it, or if it is believed to be gone. Null if it exists afterwards. */
  async #create(missing: TopicMetadata): Promise<Trouble | null> {
    const { partitions } = this.#options.topic;
    const verdict = this.known ? this.#doubt.ofMissing(missing) : 'believed';
    if (verdict !== 'believed') return mayPass(this.#doubt.missing(missing, verdict));
    // The former number of partitions keeps keys in their partitions.
    const wanted = { ...this.#options.topic, partitions: this.#partitions ?? partitions };
    const { refusal, isNew } = await this.#source.createTopic(wanted);
    if (refusal !== null) {
      const message = creationRefusal(wanted, refusal);
      return { cause: 'topic', message, kind: 'CREATE', mayPass: isRefusedForNow(refusal), isPartial: false };
    }
    // A later try hears that the topic exists.
    this.#isCreated ||= isNew;
    return null;
  }

  #logCreated(partitions: number): void {
    const { topic } = this.#options.topic;
    this.#isCreated = false;
    this.#log.write(this.known ? 'topic_created_again' : 'topic_created', { topic, partitions });
  }

  /** Gets a producer id and the limits, which delivery needs with the leaders. */
  async #prepare(metadata: TopicMetadata): Promise<void> {
    const { clusterId = this.#clusterId } = metadata;
    if (areDifferent(clusterId, this.#clusterId)) {
      // The other cluster may give our producer id to another producer.
      this.#identity = undefined;
      this.#log.write('cluster_changed', { clusterId, before: this.#clusterId });
    }
    this.#clusterId = clusterId;
    if (this.#options.idempotent) this.#identity ??= await this.#source.initProducerId();
    if (!this.#limits.isDue) return;
    const reading = this.#limits.read();
    // Only the first batches wait for the limits. Later the leaders are more urgent.
    if (!this.known) await reading;
  }

  #apply({ leaders }: TopicMetadata): void {
    const isFirst = !this.known;
    // All in one turn: batches of the former partitions must not be delivered as batches of the new ones.
    const adopted = this.#delivery.adoptPartitions(leaders.length, this.#batcher.mergeLimits);
    if (adopted !== undefined) this.#batcher.setPartitions(adopted);
    this.#delivery.setLeaders(leaders, this.#identity, this.#clusterId);
    this.#partitions = leaders.length;
    const { others } = this.#options;
    if (!isFirst || others.length === 0) return;
    void createOtherTopics(others, {
      source: this.#source,
      signal: this.#abort.signal,
      log: this.#log,
    });
  }

  async #connect({ leaders }: TopicMetadata): Promise<Trouble | 'connecting' | null> {
    const { topic } = this.#options.topic;
    this.#connections.connect(leaders);
    const leaderless = leaders.filter((leader) => leader < 0).length;
    if (leaderless > 0) {
      const message = `${leaderless} of ${leaders.length} partitions of ${topic} have no leader`;
      return { ...mayPass(message), cause: 'leaderless', isPartial: leaderless < leaders.length };
    }
    await Promise.race([this.#connections.settled(), this.#interrupted()]);
    this.#interrupt = undefined;
    const { trouble, isComplete } = this.#connections;
    if (trouble === null) return isComplete ? null : 'connecting';
    const { message, isPartial } = trouble;
    const about = `topic ${topic}: ${message}`;
    return { cause: 'leaders', message: about, kind: 'LEADERS', mayPass: true, isPartial };
  }

  #interrupted(): Promise<void> {
    return new Promise((resolve) => {
      this.#interrupt = resolve;
    });
  }
}

const isMissing = ({ errorCode }: TopicMetadata) =>
  kafkaError(errorCode).name === 'UNKNOWN_TOPIC_OR_PARTITION';

/** A broker that does not tell its cluster id counts as one of the same cluster. */
const areDifferent = (one: string | undefined, other: string | undefined) =>
  one !== undefined && other !== undefined && one !== other;
