// Reads a topic's limits from time to time, and logs warnings about them. Delivery never waits for limits that cannot be
// read: Kafka refuses a batch that breaks them, and then they are read again.
import type { Logger } from 'pino';
import type { TopicLimits } from '../client/kafka-client.ts';
import type { MetadataSource } from './metadata-source.ts';
import { limitWarnings } from './topic-warnings.ts';

export interface LimitsTiming {
  readonly everyMs: number;
  /** Limits that were read less than this before are not read again. */
  readonly notWithinMs: number;
}

export interface LimitsReaderOptions extends LimitsTiming {
  readonly topic: string;
  /** KAFKA_TIMESTAMP. */
  readonly timestamp: 'received' | 'sent';
}

/** Logged warnings by cluster. Orphaned spools of the same topic have readers, too, and must not repeat them. */
const LOGGED = new WeakMap<MetadataSource, Set<string>>();

export class LimitsReader {
  /** The limits as last read. Undefined before that, or if the broker does not let us read them. */
  current: TopicLimits | undefined;

  readonly #options: LimitsReaderOptions;
  readonly #source: MetadataSource;
  readonly #apply: (limits: TopicLimits) => void;
  readonly #oldestWaitingMs: () => number | undefined;
  readonly #log: Logger;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #dueAtMs = 0;
  #reading: Promise<void> | undefined;

  constructor(
    options: LimitsReaderOptions,
    deps: {
      source: MetadataSource;
      apply: (limits: TopicLimits) => void;
      /** Time of the oldest record on disk, milliseconds since 1970. */
      oldestWaitingMs: () => number | undefined;
      log: Logger;
    },
  ) {
    this.#options = options;
    this.#source = deps.source;
    this.#apply = deps.apply;
    this.#oldestWaitingMs = deps.oldestWaitingMs;
    this.#log = deps.log;
  }

  get isDue(): boolean {
    return performance.now() >= this.#dueAtMs;
  }

  /** Reads the limits, or marks them as due if they have just been read. Never rejects. */
  async read(): Promise<void> {
    if (performance.now() - this.#readAtMs < this.#options.notWithinMs) {
      this.#dueAtMs = 0;
      return;
    }
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #readNow(): Promise<void> {
    const { topic, timestamp, everyMs } = this.#options;
    this.#readAtMs = performance.now();
    this.#dueAtMs = this.#readAtMs + everyMs;
    try {
      this.current = await this.#source.topicLimits(topic);
    } catch (error) {
      this.#dueAtMs = 0;
      this.#log.debug({ topic, err: error }, `Could not read the limits of topic ${topic}`);
    }
    if (this.current === undefined) return;
    this.#apply(this.current);
    const sent = { timestamp, oldestWaitingMs: this.#oldestWaitingMs(), nowMs: Date.now() };
    const logged = LOGGED.get(this.#source) ?? new Set();
    LOGGED.set(this.#source, logged);
    for (const warning of limitWarnings(topic, this.current, sent)) {
      if (!logged.has(warning)) this.#log.warn({ topic }, warning);
      logged.add(warning);
    }
  }
}
