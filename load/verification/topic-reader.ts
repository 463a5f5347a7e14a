// Reads a topic from the offsets that it had before the run, each record once, and connects again whenever Kafka goes
// away. Uses only the public interface of kafkajs.
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import type { ReadBack } from '../plan.ts';
import { registerCodecs } from './codecs.ts';
import { Patience } from './patience.ts';

type Offsets = ReadonlyMap<number, number>;

export interface TopicReaderEvents {
  /** The records of one fetch, in order. */
  batch(values: readonly Buffer[]): void;
}

const TOPIC_TIMEOUT_MS = 15_000;
const POLL_MS = 100;
/** How long a broker may hold a fetch that finds nothing. It answers at once when a record arrives. */
const MAX_WAIT_MS = 100;
const JOIN_TIMEOUT_MS = 30_000;
/** A consumer without a finished fetch for so long is replaced: kafkajs may wait forever after a lost connection. */
const STALL_TIMEOUT_MS = 15_000;
/** kafkajs gives up after about a second. Then the reader starts a new consumer, as often as needed. */
const RETRY = { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 } as const;
const RECONNECT_MS = 500;

/** The topic cannot be read. The message is for people. */
export class ReadBackError extends Error {}

export class TopicReader {
  readonly #options: ReadBack;
  readonly #group: string;
  readonly #events: TopicReaderEvents;
  readonly #kafka: kafkajs.Kafka;
  /** The next offset of each partition. */
  readonly #next = new Map<number, number>();
  readonly #stopped = new AbortController();
  /** Records read so far, of any sender. */
  records = 0;
  /** How many times a request to Kafka failed for good, or the consumer was replaced. */
  interruptions = 0;
  #groups = 0;
  #admin: kafkajs.Admin | undefined;
  #reading: Promise<void> | undefined;
  #joined = false;
  #problem = 'the end of the topic was not reached';

  /** @param group prefix of its consumer groups */
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
      retry: RETRY,
    });
  }

  /** Notes where the topic ends now. Rejects with ReadBackError if Kafka does not answer or has no such topic. */
  async noteStart(): Promise<void> {
    const { brokers, topic } = this.#options;
    try {
      await this.#connectAdmin();
    } catch (cause) {
      throw new ReadBackError(`no Kafka answers at ${brokers.join(',')}: ${(cause as Error).message}`, {
        cause,
      });
    }
    const deadline = performance.now() + TOPIC_TIMEOUT_MS;
    for (;;) {
      const ends = await this.#ends();
      for (const [partition, end] of ends ?? []) this.#next.set(partition, end);
      if (ends !== undefined) return;
      if (performance.now() > deadline)
        throw new ReadBackError(`topic ${topic} cannot be read: ${this.#problem}`);
      await sleep(POLL_MS);
    }
  }

  /** Reads from now on until stop(). Resolves at the first join; rejects with ReadBackError after 30 s without one. */
  async start(): Promise<void> {
    this.#reading ??= this.#readOn();
    const deadline = performance.now() + JOIN_TIMEOUT_MS;
    while (!this.#joined) {
      if (performance.now() > deadline)
        throw new ReadBackError(`the consumer got no partitions: ${this.#problem}`);
      await sleep(POLL_MS);
    }
  }

  /**
   * Reads everything that the topic holds now. Resolves with undefined, or with the reason if no record could be read
   * for `giveUpMs`.
   */
  async readToEnd(giveUpMs: number): Promise<string | undefined> {
    const patience = new Patience(giveUpMs);
    let ends: Offsets | undefined;
    for (;;) {
      ends ??= await this.#ends();
      if (ends !== undefined && this.#hasRead(ends)) return undefined;
      if (!patience.lasts(this.records)) return this.#problem;
      await sleep(POLL_MS);
    }
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#reading;
    const groups = Array.from({ length: this.#groups }, (_, index) => `${this.#group}-${index + 1}`);
    // The broker would keep the groups for a week.
    await this.#admin?.deleteGroups(groups).catch(() => {});
    await this.#admin?.disconnect().catch(() => {});
  }

  async #readOn(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      // A new group each time. In the old one, the join would wait until the session of the lost member expires.
      await this.#consume(`${this.#group}-${++this.#groups}`).catch((error) => this.#interrupted(error));
      await sleep(RECONNECT_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Runs one consumer until stop(). Rejects when it crashes or stalls. */
  async #consume(groupId: string): Promise<void> {
    const consumer = this.#kafka.consumer({
      groupId,
      minBytes: 1,
      maxWaitTimeInMs: MAX_WAIT_MS,
      retry: { ...RETRY, restartOnFailure: async () => false },
    });
    const { topic } = this.#options;
    const { CRASH, FETCH, GROUP_JOIN, END_BATCH_PROCESS } = consumer.events;
    const state: { fetchedMs: number; crash?: Error } = { fetchedMs: 0 };
    consumer.on(CRASH, ({ payload }) => {
      state.crash = payload.error;
    });
    consumer.on(FETCH, () => {
      state.fetchedMs = performance.now();
    });
    // Nothing is committed, so every join seeks to the next offsets.
    consumer.on(GROUP_JOIN, () => {
      for (const [partition, next] of this.#next) consumer.seek({ topic, partition, offset: String(next) });
      this.#joined = true;
    });
    // A batch with control records only reaches this event, but not eachBatch.
    consumer.on(END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) =>
      this.#advance(partition, Number(lastOffset) + 1),
    );
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({ autoCommit: false, eachBatch: async ({ batch }) => this.#onBatch(batch) });
      state.fetchedMs = performance.now();
      while (!this.#stopped.signal.aborted) {
        if (state.crash !== undefined) throw state.crash;
        if (performance.now() - state.fetchedMs > STALL_TIMEOUT_MS) throw new Error('Kafka answers no fetch');
        await sleep(POLL_MS);
      }
    } finally {
      await consumer.disconnect().catch(() => {});
    }
  }

  #onBatch({ partition, messages }: kafkajs.Batch): void {
    const next = this.#next.get(partition) ?? 0;
    // A join may read records again that are known already.
    const fresh = messages.filter(({ offset }) => Number(offset) >= next);
    const last = fresh.at(-1);
    if (last === undefined) return;
    this.#advance(partition, Number(last.offset) + 1);
    this.records += fresh.length;
    this.#events.batch(fresh.map(({ value }) => value ?? Buffer.alloc(0)));
  }

  #advance(partition: number, next: number): void {
    this.#next.set(partition, Math.max(next, this.#next.get(partition) ?? 0));
  }

  /** The end of each partition, or undefined if Kafka does not answer. */
  async #ends(): Promise<Offsets | undefined> {
    try {
      this.#admin ??= await this.#connectAdmin();
      const offsets = await this.#admin.fetchTopicOffsets(this.#options.topic);
      return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
    } catch (error) {
      this.#interrupted(error);
      void this.#admin?.disconnect().catch(() => {});
      this.#admin = undefined;
      return undefined;
    }
  }

  async #connectAdmin(): Promise<kafkajs.Admin> {
    const admin = this.#kafka.admin();
    await admin.connect();
    this.#admin = admin;
    return admin;
  }

  #hasRead(ends: Offsets): boolean {
    return [...ends].every(([partition, end]) => (this.#next.get(partition) ?? 0) >= end);
  }

  #interrupted(error: unknown): void {
    this.interruptions++;
    this.#problem = error instanceof Error ? error.message : String(error);
  }
}
