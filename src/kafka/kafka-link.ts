// The way to Kafka as a whole: keeps asking for the topics' leaders until someone answers, creates what is
// missing, hands delivery its leaders and the batcher its partitions, and says in plain words when it cannot.
import type { Logger } from 'pino';
import { backoffMs, pause } from './backoff.ts';
import type { Batcher } from './batcher.ts';
import type { KafkaCluster, TopicMetadata, TopicToCreate } from './cluster.ts';
import type { Delivery } from './delivery.ts';
import { kafkaError } from './errors.ts';
import type { ProducerIdentity } from './partition-queue.ts';

export interface KafkaLinkOptions {
  readonly brokers: readonly string[];
  /** The topic records go to, created where missing. */
  readonly metrics: TopicToCreate;
  /** Created where missing, not written to by delivery. */
  readonly others: readonly TopicToCreate[];
  readonly idempotent: boolean;
  readonly bufferBytes: number;
}

/** Up to the second failure this is quick; after that under one attempt a second. */
const RETRY = { firstMs: 200, maxMs: 2000 };
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
  #saidAtMs = Number.NEGATIVE_INFINITY;
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
      const problem = await this.#tryOnce().catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      );
      if (signal.aborted) return;
      if (problem === null) {
        this.#resolved();
        return;
      }
      this.#report(problem);
      await pause(backoffMs(failures, RETRY), signal);
    }
  }

  /** Null where the leaders are known now, otherwise what is in the way. */
  async #tryOnce(): Promise<string | null> {
    const { metrics } = this.#options;
    let metadata = await this.#cluster.topicMetadata(metrics.topic);
    if (kafkaError(metadata.errorCode).name === 'UNKNOWN_TOPIC_OR_PARTITION' && !this.#known) {
      const refusal = await this.#create(metrics);
      if (refusal !== null) return refusal;
      metadata = await this.#cluster.topicMetadata(metrics.topic);
    }
    if (metadata.errorCode !== 0) return `topic ${metrics.topic}: ${kafkaError(metadata.errorCode).name}`;
    if (this.#options.idempotent) this.#identity ??= await this.#cluster.initProducerId();
    if (!this.#known) {
      const limit = await this.#cluster.maxMessageBytes(metrics.topic);
      if (limit !== undefined) this.#batcher.maxRecordBytes = limit;
    }
    if (this.#abort.signal.aborted) return null;
    this.#apply(metadata);
    const leaderless = metadata.leaders.filter((leader) => leader < 0).length;
    return leaderless === 0
      ? null
      : `${leaderless} of ${metadata.leaders.length} partitions of ${metrics.topic} have no leader`;
  }

  #apply({ leaders }: TopicMetadata): void {
    const first = !this.#known;
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
      this.#log.info(
        { brokers: this.#options.brokers, partitions: this.#batcher.partitions },
        'Kafka is reachable, records are flowing',
      );
    }
    this.#problem = null;
    this.#saidAtMs = Number.NEGATIVE_INFINITY;
  }

  #report(problem: string): void {
    this.#problem = problem;
    const now = performance.now();
    if (now - this.#saidAtMs < REMIND_EVERY_MS) return;
    this.#saidAtMs = now;
    const mib = Math.round(this.#options.bufferBytes / 2 ** 20);
    this.#log.warn(
      { brokers: this.#options.brokers, reason: problem },
      `Kafka cannot be used: ${problem}. Devices are served; their records wait in memory (up to ${mib} MiB), then devices are paused. ` +
        'Nothing is dropped. A local Kafka for trying: npm run kafka',
    );
  }
}
