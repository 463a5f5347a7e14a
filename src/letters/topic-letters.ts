// The letters in the topic of dead letters, up to the end that it had when it was opened. It knows which of them an
// earlier run has sent, and notices if the topic was created again since.
import { crc32c } from '../checksum/crc32c.ts';
import type { KafkaClient } from '../kafka/client/kafka-client.ts';
import { TopicReader } from '../kafka/topics/topic-reader.ts';
import { type Letter, readLetter } from './letter.ts';
import type { Selection } from './selection.ts';
import type { LetterLog, SentLetters } from './sent-letters.ts';

export interface TopicLettersOptions {
  readonly topic: string;
  /** Of letters that do not name the topic that they were for. */
  readonly metricsTopic: string;
  readonly signal: AbortSignal;
  /** Called with batches that cannot be read, which are passed over. */
  readonly damaged: (text: string) => void;
}

interface Range {
  readonly first: number;
  readonly end: number;
}

/** A letter may have come to the topic so much before its time, because clocks differ. */
const CLOCK_MS = 10 * 60_000;

export class TopicLetters {
  /** Partitions of which an earlier run sent letters, and which were created again since. */
  readonly recreated: number[] = [];
  readonly #options: TopicLettersOptions;
  readonly #reader: TopicReader;
  readonly #sent: SentLetters;
  readonly #ranges: Range[] = [];

  private constructor(reader: TopicReader, sent: SentLetters, options: TopicLettersOptions) {
    this.#reader = reader;
    this.#sent = sent;
    this.#options = options;
  }

  /** @throws TopicReadError if the topic is missing or cannot be read */
  static async open(
    client: KafkaClient,
    sent: SentLetters,
    options: TopicLettersOptions,
  ): Promise<TopicLetters> {
    const reader = new TopicReader(client, options);
    await reader.open();
    const letters = new TopicLetters(reader, sent, options);
    for (let partition = 0; partition < reader.partitions; partition++) {
      letters.#ranges.push(await reader.range(partition));
      await letters.#compare(partition);
    }
    return letters;
  }

  get topic(): string {
    return this.#options.topic;
  }

  /** Letters that Kafka deleted while they were being read. */
  get deleted(): number {
    return this.#reader.deleted;
  }

  isSent({ place }: Letter): boolean {
    return place.kind === 'topic' && this.#sent.has(this.logOf(place.partition), place.offset);
  }

  logOf(partition: number): LetterLog {
    return { cluster: this.#reader.clusterId, topic: this.#options.topic, partition };
  }

  /** The letters from the oldest to the newest of each partition, some at a time. @throws TopicReadError */
  async *read({ partition, offset, sinceMs, last }: Selection): AsyncGenerator<Letter[]> {
    for (const [number, { first, end }] of this.#ranges.entries()) {
      if (partition !== undefined && partition !== number) continue;
      const newest = last === undefined ? first : Math.max(first, end - last);
      const from = sinceMs === undefined ? newest : await this.#from(number, newest, sinceMs);
      const range = offset === undefined ? { from, end } : { from: Math.max(from, offset), end: offset + 1 };
      for await (const records of this.#reader.read(number, {
        from: range.from,
        end: Math.min(end, range.end),
        damaged: this.#options.damaged,
      })) {
        yield records.map(({ timestampMs, body, ...place }) =>
          readLetter(
            { place: { kind: 'topic', topic: this.topic, ...place }, timestampMs, body },
            this.#options.metricsTopic,
          ),
        );
      }
    }
  }

  async #from(partition: number, newest: number, sinceMs: number): Promise<number> {
    return Math.max(newest, await this.#reader.offsetAt(partition, sinceMs - CLOCK_MS));
  }

  /** Forgets sent letters that Kafka has deleted, and those of a topic that was created again. */
  async #compare(partition: number): Promise<void> {
    const log = this.logOf(partition);
    const { first, end } = this.#ranges[partition] as Range;
    const last = this.#sent.lastOf(log);
    if (last === undefined) return;
    if (last.offset >= first && !(last.offset < end && (await this.#isSame(partition, last)))) {
      this.recreated.push(partition);
      this.#sent.dropBelow(log, Infinity);
    } else this.#sent.dropBelow(log, first);
  }

  async #isSame(partition: number, last: { offset: number; checksum: number }): Promise<boolean> {
    const { deleted } = this.#reader;
    for await (const records of this.#reader.read(partition, { from: last.offset, end: last.offset + 1 }))
      for (const { offset, body } of records)
        if (offset === last.offset) return crc32c(body) === last.checksum;
    // Kafka has just deleted it.
    return this.#reader.deleted > deleted;
  }
}
