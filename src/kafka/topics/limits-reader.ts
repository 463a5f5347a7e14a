// Reads a topic's limits from time to time, and logs warnings about them. Delivery never waits for limits that cannot be
// read: Kafka refuses a batch that breaks them, and then they are read again.
import type { Log } from '../../log/log.ts';
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
  /** As MetadataRefresherOptions.isCompacted. */
  readonly isCompacted: boolean;
}

interface LimitsReaderDeps {
  readonly source: MetadataSource;
  readonly apply: (limits: TopicLimits) => void;
  /** Time of the oldest record on disk, milliseconds since 1970. */
  readonly oldestWaitingMs: () => number | undefined;
  readonly log: Log;
}

/** Logged warnings by cluster. Orphaned spools of the same topic have readers, too, and must not repeat them. */
const LOGGED = new WeakMap<MetadataSource, Set<string>>();

export class LimitsReader {
  /** The limits as last read. Undefined before that, or if the broker does not let us read them. */
  current: TopicLimits | undefined;

  readonly #options: LimitsReaderOptions;
  readonly #deps: LimitsReaderDeps;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #dueAtMs = 0;
  #reading: Promise<void> | undefined;

  constructor(options: LimitsReaderOptions, deps: LimitsReaderDeps) {
    this.#options = options;
    this.#deps = deps;
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
    const { topic, timestamp, everyMs, isCompacted } = this.#options;
    const { source, apply, oldestWaitingMs, log } = this.#deps;
    this.#readAtMs = performance.now();
    this.#dueAtMs = this.#readAtMs + everyMs;
    try {
      this.current = await source.topicLimits(topic);
    } catch (error) {
      this.#dueAtMs = 0;
      log.write('topic_limits_unreadable', { topic, err: error });
    }
    if (this.current === undefined) return;
    apply(this.current);
    const sent = { timestamp, oldestWaitingMs: oldestWaitingMs(), nowMs: Date.now(), isCompacted };
    const logged = LOGGED.get(source) ?? new Set();
    LOGGED.set(source, logged);
    for (const warning of limitWarnings(topic, this.current, sent)) {
      if (!logged.has(warning)) log.write('topic_limit_warned', { warning, topic });
      logged.add(warning);
    }
  }
}
