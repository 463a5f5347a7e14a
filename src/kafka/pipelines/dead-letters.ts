// The dead letters: lines that were refused and records that Kafka refused, for people to look at. The letter of a
// record is never dropped: record() resolves only when the letter is in Kafka or on the disk. Refused lines are kept
// as far as there is room: they have a rate, half of the memory and half of the disk, and never hold up a record.
import type { Logger } from 'pino';
import { rateLimited } from '../../log/rate-limited-log.ts';
import type { SpoolCap } from '../../spool/spool-cap.ts';
import type { TopicSpool } from '../../spool/topic-spool.ts';
import { encodeBody } from '../batches/record-batch.ts';
import type { RefusedRecord } from '../batches/split-batch.ts';
import { type Pipeline, problemOf, startPipeline, useSpool } from './pipeline.ts';

export interface DeadLetter {
  /** The line's bytes, or the record's value. */
  readonly value: Uint8Array;
  readonly reason: string;
  readonly connectionId: string;
  /** Empty before the device identified. */
  readonly zipcode: string;
  readonly remoteAddress: string;
  readonly receivedAtMs: number;
}

export interface DeadLetterOptions {
  /** KAFKA_TOPIC_DEAD_LETTERS names a topic. Without one, refused lines are not kept, and records' letters stay on disk. */
  readonly hasTopic: boolean;
  /** SPOOL_DEAD_BYTES, and what letters take of it, those that former processes left included. */
  readonly cap: SpoolCap;
  /** Refused lines a second at most, on average and after a burst of as many. */
  readonly linesPerSecond?: number;
}

const LINES_PER_SECOND = 100;
const WARNING_EVERY_MS = 60_000;
/** Of the memory and of the disk. The rest is for the letters of records, for which a partition waits. */
const LINES_SHARE = 0.5;

export class DeadLetters {
  /** Lines that were not kept: over their rate, or no room for them. */
  dropped = 0;

  readonly #pipeline: Pipeline;
  readonly #options: Required<DeadLetterOptions>;
  readonly #warnOfWaiting: () => void;
  /** Letters of records that are not durable yet, those included that wait for room in memory. */
  #records = 0;
  #withoutRoom = 0;
  #tokens: number;
  #refilledAtMs = performance.now();
  #next = 0;

  constructor(pipeline: Pipeline, options: DeadLetterOptions, log: Logger) {
    this.#pipeline = pipeline;
    this.#warnOfWaiting = rateLimited({ everyMs: WARNING_EVERY_MS }, () => {
      const { problem, waiting } = this;
      if (problem !== null)
        log.warn(
          { reason: problem, waiting },
          'Records that Kafka refused are kept on disk as dead letters, as their topic does not take them; nothing is lost',
        );
    });
    this.#options = { linesPerSecond: LINES_PER_SECOND, ...options };
    this.#tokens = this.#options.linesPerSecond;
  }

  /** Acknowledged by Kafka. */
  get sent(): number {
    return this.#pipeline.delivery.counters.confirmed;
  }

  /** Not acknowledged by Kafka yet, in memory or on disk. */
  get waiting(): number {
    const { batcher, delivery } = this.#pipeline;
    return this.#withoutRoom + batcher.openRecords + delivery.inFlightRecords + delivery.spooledRecords;
  }

  /** On disk. */
  get bytes(): number {
    return this.#options.cap.bytes;
  }

  /** Why refused records have to wait for their letters, or null. */
  get blocked(): string | null {
    const trouble = this.#pipeline.delivery.spoolTrouble;
    if (this.#records === 0 || trouble === null) return null;
    return `records that Kafka refuses wait, as their dead letters are neither taken by Kafka nor kept on disk: ${trouble}`;
  }

  /** Why letters wait, or null when none does. */
  get problem(): string | null {
    if (this.waiting === 0) return null;
    return this.blocked ?? letterProblemOf(this.#pipeline);
  }

  /** Gives the letters their place on disk. Before the first letter. */
  useSpool(spool: TopicSpool): void {
    useSpool(this.#pipeline, spool);
  }

  /** Begins to look for Kafka; what an earlier process left is sent first. */
  start(): void {
    startPipeline(this.#pipeline);
  }

  /** A line that was refused at the socket. Kept if its rate and its share of the room allow it. */
  line(letter: DeadLetter): void {
    if (!this.#options.hasTopic) return;
    // The rate first: past it a refused line costs next to nothing.
    const body = this.#takeToken() ? encode(letter) : undefined;
    if (body !== undefined && this.#hasRoomForLine(body.length)) this.#append(letter, body);
    else this.dropped++;
  }

  /**
   * A record that had been accepted. Resolves when its letter is durable: acknowledged by Kafka, or synced to the
   * dead letters' spool. While neither is possible it waits; closed before that, it never resolves, so that nobody
   * takes the letter for kept.
   */
  async record(letter: DeadLetter): Promise<void> {
    this.#records++;
    this.#withoutRoom++;
    const { batcher } = this.#pipeline;
    while (!batcher.hasRoom()) {
      if (!(await batcher.room())) await never();
    }
    this.#withoutRoom--;
    await this.#append(letter, encode(letter)).settled();
    this.#records--;
    // Kafka can be reached, as it has just refused the record: what is wrong concerns the dead letters alone.
    if (this.problem !== null) this.#warnOfWaiting();
  }

  #append({ receivedAtMs }: DeadLetter, body: Uint8Array) {
    // Letters have no order among each other, so they are spread.
    return this.#pipeline.batcher.appendRaw(this.#next++, receivedAtMs, body);
  }

  #hasRoomForLine(bytes: number): boolean {
    const { budget } = this.#pipeline;
    const inMemory = budget.used + bytes;
    return (
      inMemory <= LINES_SHARE * budget.capacity &&
      this.bytes + inMemory <= LINES_SHARE * this.#options.cap.maxBytes
    );
  }

  #takeToken(): boolean {
    const now = performance.now();
    const { linesPerSecond } = this.#options;
    this.#tokens = Math.min(
      linesPerSecond,
      this.#tokens + ((now - this.#refilledAtMs) / 1000) * linesPerSecond,
    );
    this.#refilledAtMs = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** Why nothing is sent if there is no link. */
export const NO_LETTERS_LINK = 'KAFKA_BROKERS or KAFKA_TOPIC_DEAD_LETTERS is empty';

/** Why a pipeline of dead letters does not get rid of them, or null. */
function letterProblemOf(pipeline: Pipeline): string | null {
  const reason = pipeline.link === undefined ? NO_LETTERS_LINK : problemOf(pipeline);
  return reason === null ? null : `dead letters wait on disk: ${reason}`;
}

/** A refused record as a letter, and the seq of its message if it had one. */
export function letterOf(
  { value, timestampMs }: RefusedRecord,
  reason: string,
): { letter: Omit<DeadLetter, 'remoteAddress'>; seq: number | undefined } {
  const { connection_id: connectionId = '', zipcode = '', seq } = fieldsOf(value);
  return { letter: { value, reason, connectionId, zipcode, receivedAtMs: timestampMs }, seq };
}

/** What our own encoding (protocol/record-frame.ts) puts around a reading. A record from elsewhere has none of it. */
function fieldsOf(value: Buffer): { connection_id?: string; zipcode?: string; seq?: number } {
  try {
    return (JSON.parse(value.toString()) ?? {}) as ReturnType<typeof fieldsOf>;
  } catch {
    return {};
  }
}

function encode(letter: DeadLetter): Buffer {
  return encodeBody(letter.value, {
    reason: letter.reason,
    connection_id: letter.connectionId,
    zipcode: letter.zipcode,
    remote_address: letter.remoteAddress,
    received_at: new Date(letter.receivedAtMs).toISOString(),
  });
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
