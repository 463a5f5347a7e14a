// The way to Kafka as a whole: keeps asking for the topics' leaders until someone answers, creates what is
// missing, hands delivery its leaders and the batcher its partitions, and says in plain words when it cannot.
import type { Logger } from 'pino';
import { backoffMs, pause } from './backoff.ts';
import type { Batcher } from './batcher.ts';
import { ClusterError, type KafkaCluster, type TopicMetadata, type TopicToCreate } from './cluster.ts';
import type { Delivery } from './delivery.ts';
import { kafkaError } from './errors.ts';
import type { ProducerIdentity } from './producer-sequence.ts';

export interface KafkaLinkOptions {
  readonly brokers: readonly string[];
  /** The topic records go to, created where missing. */
  readonly metrics: TopicToCreate;
  /** Created where missing, not written to by delivery. */
  readonly others: readonly TopicToCreate[];
  readonly idempotent: boolean;
  /** Another link to the same cluster does the talking. */
  readonly quiet: boolean;
}

/** Up to the second failure this is quick; after that under one attempt a second. */
const RETRY = { firstMs: 200, maxMs: 2000 };
/** Failures in a row that are kept quiet while a broker answers: about a second. */
const PATIENCE = 3;
/** Leaders are asked for anew this often even when nothing fails, so that new partitions are found. */
const REFRESH_EVERY_MS = 60_000;
const REMIND_EVERY_MS = 60_000;

export class KafkaLink {
  readonly #options: KafkaLinkOptions;
  readonly #cluster: KafkaCluster;
  readonly #delivery: Delivery;
  readonly #batcher: Batcher;
  readonly #log: Logger;
  readonly #abort = new AbortController();
  #refreshing = false;
  #known = false;
  #identity: ProducerIdentity | undefined;
  #problem: string | null = 'not connected to Kafka yet';
  // By the error's code: a new kind of trouble is said at once, none more often than REMIND_EVERY_MS.
  readonly #saidAtMs = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    options: KafkaLinkOptions,
    deps: { cluster: KafkaCluster; delivery: Delivery; batcher: Batcher; log: Logger },
  ) {
    this.#options = options;
    this.#cluster = deps.cluster;
    this.#delivery = deps.delivery;
    this.#batcher = deps.batcher;
    this.#log = deps.log;
  }

  /** Why records cannot be delivered now, or null. */
  get problem(): string | null {
    return this.#problem;
  }

  /** The topic's partitions are known. */
  get known(): boolean {
    return this.#known;
  }

  start(): void {
    this.refresh('start');
    this.#timer = setInterval(() => this.refresh('routine'), REFRESH_EVERY_MS);
    this.#timer.unref();
  }

  /** Asks for the leaders anew, once however often it is called, and until there is an answer. */
  refresh(reason: string): void {
    if (this.#refreshing || this.#abort.signal.aborted) return;
    this.#refreshing = true;
    this.#log.debug({ reason }, 'Asking Kafka for the partitions’ leaders');
    void this.#refreshUntilDone().finally(() => {
      this.#refreshing = false;
    });
  }

  close(): void {
    clearInterval(this.#timer);
    this.#abort.abort();
  }

  async #refreshUntilDone(): Promise<void> {
    const { signal } = this.#abort;
    for (let failures = 1; !signal.aborted; failures++) {
      const result = await this.#tryOnce().catch((error: unknown) => error as Error);
      if (signal.aborted) return;
      if (result === null) {
        this.#resolved();
        return;
      }
      // A broker that answers at all (coordinator loading, topic not everywhere yet) is given a moment.
      if (result instanceof ClusterError || failures > PATIENCE) this.#report(result);
      await pause(backoffMs(failures, RETRY), signal);
    }
  }

  /** Null where the leaders are known now, otherwise what is in the way; rejects where that is final for now. */
  async #tryOnce(): Promise<Error | null> {
    const { metrics } = this.#options;
    let metadata = await this.#cluster.topicMetadata(metrics.topic);
    if (kafkaError(metadata.errorCode).name === 'UNKNOWN_TOPIC_OR_PARTITION' && !this.#known) {
      const refusal = await this.#create(metrics);
      if (refusal !== null) throw new ClusterError('PROTOCOL', refusal);
      metadata = await this.#cluster.topicMetadata(metrics.topic);
    }
    if (metadata.errorCode !== 0) {
      return new Error(`topic ${metrics.topic}: ${kafkaError(metadata.errorCode).name}`);
    }
    if (this.#options.idempotent) this.#identity ??= await this.#cluster.initProducerId();
    const limit = await this.#cluster.maxMessageBytes(metrics.topic);
    if (limit !== undefined) this.#batcher.maxRecordBytes = limit;
    if (this.#abort.signal.aborted) return null;
    await this.#apply(metadata);
    const leaderless = metadata.leaders.filter((leader) => leader < 0).length;
    return leaderless === 0
      ? null
      : new Error(
          `${leaderless} of ${metadata.leaders.length} partitions of ${metrics.topic} have no leader`,
        );
  }

  async #apply({ leaders }: TopicMetadata): Promise<void> {
    const first = !this.#known;
    await this.#delivery.adoptPartitions(leaders.length, this.#batcher.batchLimits);
    const parked = this.#delivery.takeParked();
    this.#delivery.setLeaders(leaders, this.#identity);
    if (first || leaders.length !== this.#batcher.partitions) {
      this.#batcher.setPartitions(leaders.length, parked, first);
    }
    this.#known = true;
    if (first) void this.#createOthers();
  }

  async #createOthers(): Promise<void> {
    for (const topic of this.#options.others) {
      try {
        const { errorCode } = await this.#cluster.topicMetadata(topic.topic);
        if (kafkaError(errorCode).name !== 'UNKNOWN_TOPIC_OR_PARTITION') continue;
        const refusal = await this.#create(topic);
        if (refusal !== null) this.#log.warn({ topic: topic.topic }, refusal);
      } catch (error) {
        this.#log.warn({ topic: topic.topic, err: error }, `Could not look for topic ${topic.topic}`);
      }
    }
  }

  async #create(topic: TopicToCreate): Promise<string | null> {
    const refusal = await this.#cluster.createTopic(topic);
    if (refusal !== null) {
      return `Topic ${topic.topic} does not exist and Kafka does not let us create it (${refusal}): create it with ${topic.partitions} partitions, or allow it`;
    }
    this.#log.info({ topic: topic.topic, partitions: topic.partitions }, `Topic ${topic.topic} created`);
    return null;
  }

  #resolved(): void {
    if (this.#problem !== null) {
      this.#log[this.#options.quiet ? 'debug' : 'info'](
        { brokers: this.#options.brokers, partitions: this.#batcher.partitions },
        'Kafka is reachable, records are flowing',
      );
    }
    this.#problem = null;
    this.#saidAtMs.clear();
  }

  #report(error: Error): void {
    const problem = error.message;
    const code = error instanceof ClusterError ? error.code : 'ANSWER';
    this.#problem = problem;
    if (!this.#known) this.#delivery.unreachable();
    const now = performance.now();
    if (now - (this.#saidAtMs.get(code) ?? Number.NEGATIVE_INFINITY) < REMIND_EVERY_MS) return;
    this.#saidAtMs.set(code, now);
    this.#log[this.#options.quiet ? 'debug' : 'warn'](
      { brokers: this.#options.brokers, reason: problem },
      `Kafka cannot be used: ${problem}. Devices are served; their records wait in the spool on disk (SPOOL_DIR), ` +
        'nothing is dropped. A local Kafka for trying: npm run kafka',
    );
  }
}
