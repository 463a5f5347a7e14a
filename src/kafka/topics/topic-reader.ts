// Reads a topic's records between two offsets, without a consumer group: it needs no right but Read and Describe, and
// leaves nothing behind in Kafka. Memory holds one answer of a broker. It tries again while a leader moves or a broker is
// away, up to a limit. Records are read whether or not a transaction committed them: the gateway uses none.

import { isIntact, lengthField } from '../../spool/batch-header.ts';
import { backoffMs, pause } from '../../time/backoff.ts';
import { decompress } from '../batches/compression.ts';
import { HEADER_BYTES, readBatchFields, readTimes } from '../batches/record-batch.ts';
import { forEachRecord } from '../batches/record-body.ts';
import { ClusterError, type KafkaClient, OFFSETS, type PartitionPlace } from '../client/kafka-client.ts';
import { kafkaError } from '../wire/errors.ts';
import type { FetchAnswer } from '../wire/fetch-answer.ts';

export interface TopicRecord {
  readonly partition: number;
  readonly offset: number;
  /** When Kafka took it, if the topic has LogAppendTime, else the time that its producer gave it. */
  readonly timestampMs: number;
  /** See record-body.ts. */
  readonly body: Uint8Array;
}

export type TopicProblem = 'missing' | 'denied' | 'unreachable' | 'unreadable';

/** The topic cannot be read. The message has the reason and advice. */
export class TopicReadError extends Error {
  readonly code = 'TOPIC_READ';
  readonly problem: TopicProblem;

  constructor(problem: TopicProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

const FETCH_BYTES = 2 ** 20;
const RETRY = { firstMs: 100, maxMs: 2000 };
/** Failures in a row without any answer that helps. */
const MAX_FAILURES = 12;
const MAGIC_AT = 16;
const LAST_DELTA_AT = 23;
const ATTRIBUTES_AT = 21;
const LOG_APPEND_TIME = 8;
/** A batch that marks the end of a transaction. */
const CONTROL = 32;

interface Range {
  readonly from: number;
  readonly end: number;
}

export class TopicReader {
  readonly topic: string;
  /** Offsets that were asked for and that Kafka had deleted by then. */
  deleted = 0;
  readonly #client: KafkaClient;
  readonly #signal: AbortSignal;
  #leaders: readonly number[] = [];
  #clusterId = '';

  constructor(client: KafkaClient, { topic, signal }: { topic: string; signal: AbortSignal }) {
    this.topic = topic;
    this.#client = client;
    this.#signal = signal;
  }

  /** @throws TopicReadError if the topic is missing or may not be described, or no broker answers */
  async open(): Promise<void> {
    for (let failures = 1; ; failures++) {
      try {
        const { errorCode, leaders, clusterId } = await this.#client.topicMetadata(this.topic);
        const { name, outcome, remedy } = kafkaError(errorCode);
        if (errorCode === 0) {
          this.#leaders = leaders;
          this.#clusterId = clusterId ?? '';
          return;
        }
        if (name === 'UNKNOWN_TOPIC_OR_PARTITION')
          throw new TopicReadError('missing', `the topic ${this.topic} does not exist`);
        if (outcome === 'topic') throw this.#denied(name, remedy);
        if (failures >= MAX_FAILURES) throw new TopicReadError('unreadable', `${this.topic}: ${name}`);
      } catch (error) {
        if (error instanceof TopicReadError) throw error;
        if (!(error instanceof ClusterError) || failures >= 3 || error.code === 'AUTHENTICATION')
          throw this.#unreachable(error);
      }
      await this.#pause(failures);
    }
  }

  get partitions(): number {
    return this.#leaders.length;
  }

  /** Empty if the broker does not tell it. */
  get clusterId(): string {
    return this.#clusterId;
  }

  /** The first offset of the partition, and the offset after its last record. */
  async range(partition: number): Promise<{ first: number; end: number }> {
    return {
      first: await this.#offset(partition, OFFSETS.first),
      end: await this.#offset(partition, OFFSETS.end),
    };
  }

  /** The first offset whose record has at least this time; the end of the partition if there is none. */
  async offsetAt(partition: number, timeMs: number): Promise<number> {
    const found = await this.#offset(partition, Math.max(0, timeMs));
    return found < 0 ? this.#offset(partition, OFFSETS.end) : found;
  }

  /**
   * The partition's records with offsets in [from, end), a batch at a time.
   * @param damaged called with batches that cannot be read, which are passed over. Without it they throw
   * @throws TopicReadError
   */
  async *read(
    partition: number,
    { from, end, damaged }: Range & { readonly damaged?: (text: string) => void },
  ): AsyncGenerator<TopicRecord[]> {
    let next = from;
    let bytes = FETCH_BYTES;
    let emptyAnswers = 0;
    while (next < end && !this.#signal.aborted) {
      const answer = await this.#ask(partition, (place) =>
        this.#client.fetch(place, { fetchOffset: next, maxBytes: bytes }),
      );
      if (kafkaError(answer.errorCode).name === 'OFFSET_OUT_OF_RANGE') {
        const { first, end: newEnd } = await this.range(partition);
        // The topic was created again, and is shorter now.
        if (first <= next && newEnd <= next) return;
        this.deleted += Math.max(0, Math.min(first, end) - next);
        next = Math.max(first, next);
        continue;
      }
      const before = next;
      for (const batch of batchesIn(answer.records)) {
        const { records, end: batchEnd } = await this.#unpack(partition, batch, damaged);
        const wanted = records.filter(({ offset }) => offset >= next && offset < end);
        next = Math.max(next, batchEnd);
        if (wanted.length > 0) yield wanted;
        if (next >= end) return;
      }
      if (next > before) {
        emptyAnswers = 0;
        continue;
      }
      // Old brokers cut a batch that is larger than the answer may be.
      if (answer.records.length > 0) bytes *= 2;
      // The end is behind these offsets: a new leader has fewer records, or the topic was created again.
      else if (answer.highWatermark <= next || ++emptyAnswers > MAX_FAILURES) return;
    }
  }

  async #unpack(
    partition: number,
    batch: Buffer,
    damaged?: (text: string) => void,
  ): Promise<{ records: TopicRecord[]; end: number }> {
    const base = Number(batch.readBigInt64BE(0));
    // An old batch has the offset of its last record.
    const end = base + (isOld(batch) ? 0 : batch.readInt32BE(LAST_DELTA_AT)) + 1;
    try {
      return { records: await recordsIn(batch, partition, base), end };
    } catch (cause) {
      const where = `${this.topic}, partition ${partition}, offset ${base}`;
      const error = new TopicReadError('unreadable', `${where}: ${(cause as Error).message}`, { cause });
      if (damaged === undefined) throw error;
      damaged(error.message);
      return { records: [], end };
    }
  }

  async #offset(partition: number, timestamp: number): Promise<number> {
    return (await this.#ask(partition, (place) => this.#client.listOffset(place, timestamp))).offset;
  }

  /** Asks the partition's leader until it answers. */
  async #ask<A extends Pick<FetchAnswer, 'errorCode'>>(
    partition: number,
    ask: (place: PartitionPlace) => Promise<A>,
  ): Promise<A> {
    const { topic } = this;
    let last = 'it has no leader';
    for (let failures = 1; failures <= MAX_FAILURES && !this.#signal.aborted; failures++) {
      const nodeId = this.#leaders[partition] ?? -1;
      try {
        const answer = nodeId < 0 ? undefined : await ask({ nodeId, topic, partition });
        if (answer !== undefined) {
          const { name, outcome, remedy } = kafkaError(answer.errorCode);
          if (answer.errorCode === 0 || name === 'OFFSET_OUT_OF_RANGE') return answer;
          if (outcome === 'topic') throw this.#denied(name, remedy);
          last = name;
        }
      } catch (error) {
        if (error instanceof TopicReadError) throw error;
        last = (error as Error).message;
      }
      await this.#pause(failures);
      // The topic may be gone by now, which open() tells.
      await this.open();
    }
    if (this.#signal.aborted) throw new TopicReadError('unreachable', 'stopped');
    throw new TopicReadError('unreachable', `${topic}, partition ${partition} cannot be read: ${last}`);
  }

  #pause(failures: number): Promise<void> {
    return pause(backoffMs(failures, RETRY), this.#signal);
  }

  #denied(name: string, remedy: string | undefined): TopicReadError {
    const isRight = name === 'TOPIC_AUTHORIZATION_FAILED';
    const advice = isRight ? 'give the login the rights Read and Describe on it' : (remedy ?? name);
    return new TopicReadError(
      'denied',
      `Kafka does not let us read the topic ${this.topic} (${name}): ${advice}`,
    );
  }

  #unreachable(error: unknown): TopicReadError {
    const { message } = error as Error;
    return new TopicReadError('unreachable', `Kafka cannot be reached: ${message}`, { cause: error });
  }
}

/** The whole batches. The last one may be cut short, and is left out then. */
function* batchesIn(records: Buffer): Generator<Buffer> {
  for (let at = 0; records.length - at >= HEADER_BYTES; ) {
    const bytes = lengthField(records, at);
    if (bytes < HEADER_BYTES || at + bytes > records.length) return;
    yield records.subarray(at, at + bytes);
    at += bytes;
  }
}

function isOld(batch: Buffer): boolean {
  return batch[MAGIC_AT] !== 2;
}

/** Whoever may write to the topic chooses the codec and the size. @throws Error */
async function recordsIn(batch: Buffer, partition: number, base: number): Promise<TopicRecord[]> {
  if (isOld(batch)) throw new Error('a format of before Kafka 0.11');
  if (!isIntact(batch)) throw new Error('the batch does not match its checksum');
  const attributes = batch.readInt16BE(ATTRIBUTES_AT);
  if ((attributes & CONTROL) !== 0) return [];
  const { codecId, baseTimestampMs } = readBatchFields(batch);
  const takenMs = (attributes & LOG_APPEND_TIME) === 0 ? undefined : readTimes(batch).lastMs;
  const records: TopicRecord[] = [];
  const unpacked = await decompress(codecId, batch.subarray(HEADER_BYTES));
  forEachRecord(unpacked, baseTimestampMs, (timestampMs, body, delta) =>
    records.push({ partition, offset: base + delta, timestampMs: takenMs ?? timestampMs, body }),
  );
  return records;
}
