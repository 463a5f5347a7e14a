// Reads a topic back from the offsets it had before the run, each record once whatever the consumer group goes
// through. With kafkajs's public interface only.
import kafkajs from 'kafkajs';
import { decompress } from '../../src/kafka/batches/compression.ts';
import type { ReadBack } from '../plan.ts';

type Offsets = ReadonlyMap<number, number>;

export interface TopicReaderEvents {
  /** The records of one fetch, in order. */
  batch(values: readonly Buffer[]): void;
}

const TOPIC_TIMEOUT_MS = 15_000;
const POLL_MS = 100;
/** How long a broker may hold a fetch that finds nothing; it answers at once when something comes. */
const MAX_WAIT_MS = 100;
const JOIN_TIMEOUT_MS = 30_000;

/** The topic cannot be read; the text is for people. */
export class ReadBackError extends Error {}

export class TopicReader {
  readonly #options: ReadBack;
  readonly #group: string;
  readonly #events: TopicReaderEvents;
  readonly #kafka: kafkajs.Kafka;
  /** The next offset of each partition. */
  readonly #next = new Map<number, number>();
  /** How many were read, of whomever. */
  records = 0;
  #admin: kafkajs.Admin | undefined;
  #consumer: kafkajs.Consumer | undefined;
  #problem: Error | undefined;

  /** @param group a consumer group of its own */
  constructor(options: ReadBack, group: string, events: TopicReaderEvents) {
    this.#options = options;
    this.#group = group;
    this.#events = events;
    registerCodecs();
    const { brokers, ssl, sasl } = options;
    this.#kafka = new kafkajs.Kafka({
      clientId: 'sluice-load',
      brokers: [...brokers],
      ...(ssl !== undefined && { ssl }),
      ...(sasl !== undefined && { sasl: sasl as kafkajs.SASLOptions }),
      connectionTimeout: 3_000,
      requestTimeout: 10_000,
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 1_000 },
    });
  }

  /** Notes where the topic ends now. Rejects with ReadBackError where Kafka does not answer or the topic is missing. */
  async noteStart(): Promise<void> {
    const { brokers, topic } = this.#options;
    this.#admin = this.#kafka.admin();
    try {
      await this.#admin.connect();
    } catch (cause) {
      throw new ReadBackError(`no Kafka answers at ${brokers.join(',')}: ${(cause as Error).message}`, {
        cause,
      });
    }
    const deadline = performance.now() + TOPIC_TIMEOUT_MS;
    for (;;) {
      try {
        for (const [partition, end] of await this.ends()) this.#next.set(partition, end);
        return;
      } catch (cause) {
        if (performance.now() > deadline)
          throw new ReadBackError(`topic ${topic} cannot be read: ${(cause as Error).message}`, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Where the topic ends now, by partition. */
  async ends(): Promise<Offsets> {
    if (this.#admin === undefined) throw new Error('note the start first');
    const offsets = await this.#admin.fetchTopicOffsets(this.#options.topic);
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
  }

  /** Begins to read. Resolves when the consumer has its partitions. */
  async start(): Promise<void> {
    if (this.#consumer !== undefined) return;
    const consumer = this.#kafka.consumer({
      groupId: this.#group,
      minBytes: 1,
      maxWaitTimeInMs: MAX_WAIT_MS,
    });
    this.#consumer = consumer;
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) this.#problem = payload.error;
    });
    const joined = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new ReadBackError('the consumer got no partitions')),
        JOIN_TIMEOUT_MS,
      );
      consumer.on(consumer.events.GROUP_JOIN, () => {
        clearTimeout(timer);
        // Nothing is committed, so that every join begins where we are.
        for (const [partition, offset] of this.#next) this.#seek(partition, offset);
        resolve();
      });
    });
    await consumer.connect();
    await consumer.subscribe({ topic: this.#options.topic, fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: async ({ batch }) => this.#onBatch(batch) });
    await joined;
  }

  /** True where everything before these offsets has been read. */
  hasRead(ends: Offsets): boolean {
    if (this.#problem !== undefined) throw this.#problem;
    return [...ends].every(([partition, end]) => (this.#next.get(partition) ?? 0) >= end);
  }

  async stop(): Promise<void> {
    await this.#consumer?.disconnect().catch(() => {});
    // The group would otherwise stay in the broker's list for a week.
    await this.#admin?.deleteGroups([this.#group]).catch(() => {});
    await this.#admin?.disconnect().catch(() => {});
  }

  #seek(partition: number, offset: number): void {
    this.#consumer?.seek({ topic: this.#options.topic, partition, offset: String(offset) });
  }

  #onBatch({ partition, messages }: kafkajs.Batch): void {
    const next = this.#next.get(partition) ?? 0;
    // What a rejoin reads once more is passed over.
    const fresh = messages.filter(({ offset }) => Number(offset) >= next);
    const last = fresh.at(-1);
    if (last === undefined) return;
    this.#next.set(partition, Number(last.offset) + 1);
    this.records += fresh.length;
    this.#events.batch(fresh.map(({ value }) => value ?? Buffer.alloc(0)));
  }
}

/** kafkajs itself knows gzip only. The ids are those of the record batch's attributes. */
function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  for (const id of [CompressionTypes.Snappy, CompressionTypes.LZ4, CompressionTypes.ZSTD] as const) {
    CompressionCodecs[id] = () => ({
      compress: () => Promise.reject(new Error('only reads')),
      decompress: (bytes: Buffer) => decompress(id, bytes),
    });
  }
}
