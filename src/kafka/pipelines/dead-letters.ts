// Keeps dead letters, for people to look at: lines that the gateway refused and records that Kafka refused. The letter
// of a record is never dropped: record() resolves only when the letter is in Kafka or on disk. Refused lines are
// limited to a rate, half of the memory and half of the disk, and never hold up a record.

import type { LimitedLines } from '../../log/limited-lines.ts';
import type { Log } from '../../log/log.ts';
import { hideTokens } from '../../protocol/hidden-tokens.ts';
import type { SpoolCap } from '../../spool/spool-cap.ts';
import type { TopicSpool } from '../../spool/topic-spool.ts';
import { HEADER_BYTES } from '../batches/record-batch.ts';
import { encodeBody, type Header, headerList } from '../batches/record-body.ts';
import type { RefusedRecord } from '../batches/split-batch.ts';
import { type Pipeline, problemOf, startPipeline, useSpool } from './pipeline.ts';

export interface DeadLetter {
  /** The bytes of the line, or the value of the record. */
  readonly value: Uint8Array;
  readonly reason: string;
  /** The topic that the record was for, or a record of the line would have been for. */
  readonly topic: string;
  readonly connectionId: string;
  /** Empty if the device has not given one. */
  readonly zipcode: string;
  readonly remoteAddress: string;
  readonly receivedAtMs: number;
  /** The record's key, if it is not the zipcode. */
  readonly key?: Uint8Array | undefined;
  /** The record's own headers. */
  readonly recordHeaders?: readonly Header[] | undefined;
  /** The other fields of a connection's records. Only for lines: a record has them in its value. */
  readonly device?: LetterDevice | undefined;
}

/** Before the names of the record's own headers in a letter. */
export const RECORD_HEADER = 'record.';

/** A line's letter. `device` is only asked for if the letter is kept. */
export type RefusedLine = Omit<DeadLetter, 'device'> & { readonly device?: () => LetterDevice | undefined };

export interface LetterDevice {
  readonly city: string | undefined;
  readonly deviceId: string | undefined;
  /** Canonical JSON. */
  readonly tags?: string | undefined;
  readonly key?: Uint8Array | undefined;
  /** How a plain line becomes a value. Undefined for the line of a device. */
  readonly plain?: PlainForm | undefined;
  /** The topic that a plain line names. */
  readonly topic?: string | undefined;
}

/** The line itself, or the object with its sender and time around it. */
export type PlainForm = 'sent' | 'wrapped';

export interface DeadLetterOptions {
  /** KAFKA_TOPIC_DEAD_LETTERS. If it is null, refused lines are not kept, and letters of records stay on disk. */
  readonly topic: string | null;
  /** Counts the letters on disk against SPOOL_DEAD_BYTES, including those that former processes left. */
  readonly cap: SpoolCap;
  /** Rate and burst of the token bucket for refused lines. */
  readonly linesPerSecond?: number;
}

const LINES_PER_SECOND = 100;
/** Bytes around a body, at most: the batch's header, the record's lengths and deltas. */
const AROUND_A_BODY = HEADER_BYTES + 32;
/** Share of memory and disk for refused lines. A partition waits for letters of records, so these get the rest. */
const LINES_SHARE = 0.5;

export class DeadLetters {
  /** Refused lines that were not kept: over their rate, without room, or larger than the topic takes. */
  dropped = 0;

  readonly pipeline: Pipeline;
  readonly #options: Required<DeadLetterOptions>;
  readonly #lines: LimitedLines;
  /** Letters of records that are not durable yet, including those that wait for room in memory. */
  #records = 0;
  #withoutRoom = 0;
  #tokens: number;
  #refilledAtMs = performance.now();
  #next = 0;

  constructor(pipeline: Pipeline, options: DeadLetterOptions, log: Log) {
    this.pipeline = pipeline;
    this.#lines = log.limited();
    this.#options = { linesPerSecond: LINES_PER_SECOND, ...options };
    this.#tokens = this.#options.linesPerSecond;
  }

  get topic(): string | null {
    return this.#options.topic;
  }

  /** Letters acknowledged by Kafka. */
  get sent(): number {
    return this.pipeline.delivery.counters.confirmed;
  }

  /** Letters in memory or on disk that Kafka has not acknowledged. */
  get waiting(): number {
    const { batcher, delivery } = this.pipeline;
    return this.#withoutRoom + batcher.openRecords + delivery.inFlightRecords + delivery.spooledRecords;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#options.cap.bytes;
  }

  /** Why refused records have to wait for their letters, or null. */
  get blocked(): string | null {
    const trouble = this.pipeline.delivery.spoolTrouble;
    if (this.#records === 0 || trouble === null) return null;
    return `records that Kafka refuses wait, as their dead letters are neither taken by Kafka nor kept on disk: ${trouble}`;
  }

  /** Why letters wait on disk, or null if none waits. */
  get problem(): string | null {
    if (this.waiting === 0) return null;
    const reason = this.pipeline.link === undefined ? NO_LETTERS_LINK : problemOf(this.pipeline);
    return this.blocked ?? reason;
  }

  /** Gives the letters their spool. Call it before the first letter. */
  useSpool(spool: TopicSpool): void {
    useSpool(this.pipeline, spool);
  }

  /** Starts looking for Kafka. Letters that an earlier process left are sent first. */
  start(): void {
    startPipeline(this.pipeline);
  }

  /** Keeps a line that the gateway refused, without its token, if the rate and the share of room for lines allow it. */
  line(letter: RefusedLine): void {
    if (this.topic === null) return;
    // Check the rate first: a line above it then costs almost nothing.
    const body = this.#takeToken() ? encodeLine(letter) : undefined;
    if (body !== undefined && this.#hasRoomForLine(body.length)) this.#append(letter, body);
    else this.dropped++;
  }

  /**
   * Keeps a record that had been accepted. Resolves when its letter is acknowledged by Kafka or synced to the dead
   * letters' spool. If the gateway closes before that, it never resolves, so that nobody takes the letter for kept.
   */
  async record(letter: DeadLetter): Promise<void> {
    this.#records++;
    this.#withoutRoom++;
    const { batcher } = this.pipeline;
    while (!batcher.hasRoom()) {
      if (!(await batcher.room())) await new Promise<never>(() => undefined);
    }
    this.#withoutRoom--;
    await this.#append(letter, encode(letter)).settled();
    this.#records--;
    // Kafka can be reached, because it has just refused the record. So the problem concerns only the dead letters.
    const { problem, waiting } = this;
    if (problem !== null) this.#lines.write('dead_letters_waiting', { reason: problem, waiting });
  }

  #append({ receivedAtMs }: Pick<DeadLetter, 'receivedAtMs'>, body: Uint8Array) {
    // Letters have no order, so they are spread over the partitions.
    return this.pipeline.batcher.appendRaw(this.#next++, receivedAtMs, body);
  }

  #hasRoomForLine(bytes: number): boolean {
    const { budget, batcher } = this.pipeline;
    // Kafka would refuse it for ever.
    if (bytes + AROUND_A_BODY > batcher.maxMessageBytes) return false;
    const inMemory = budget.used + bytes;
    const { maxBytes } = this.#options.cap;
    return inMemory <= LINES_SHARE * budget.capacity && this.bytes + inMemory <= LINES_SHARE * maxBytes;
  }

  #takeToken(): boolean {
    const now = performance.now();
    const { linesPerSecond } = this.#options;
    const refilled = this.#tokens + ((now - this.#refilledAtMs) / 1000) * linesPerSecond;
    this.#tokens = Math.min(linesPerSecond, refilled);
    this.#refilledAtMs = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** Why dead letters are not sent if their pipeline has no link. */
export const NO_LETTERS_LINK = 'KAFKA_BROKERS or KAFKA_TOPIC_DEAD_LETTERS is empty';

/**
 * The dead letter of a refused record, and the facts about its message that its value has. Whoever sends plain lines writes
 * any value, so these facts may be lies. The key is the record's own.
 */
export function letterOf(
  { key, body, value, timestampMs }: RefusedRecord,
  { reason, topic }: { reason: string; topic: string },
): {
  letter: Omit<DeadLetter, 'remoteAddress'>;
  seq: number | undefined;
  deviceId: string | undefined;
} {
  const { connection_id: connectionId, zipcode, device_id: deviceId, seq } = fieldsOf(value);
  return {
    letter: {
      value,
      reason,
      topic,
      connectionId: textOf(connectionId) ?? '',
      zipcode: textOf(zipcode) ?? '',
      receivedAtMs: timestampMs,
      ...(!Buffer.from(textOf(zipcode) ?? '').equals(key) && { key }),
      recordHeaders: headerList(body),
    },
    seq: Number.isSafeInteger(seq) ? (seq as number) : undefined,
    deviceId: textOf(deviceId),
  };
}

/** Fields that protocol/record-frame.ts puts around a reading. Records written by others have none, or any values in them. */
function fieldsOf(value: Buffer): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(value.toString()) ?? {}) as ReturnType<typeof fieldsOf>;
  } catch {
    return {};
  }
}

/** A letter has to fit into its topic, whatever was in the record. No zipcode and no id is longer. */
const MAX_TEXT = 64;

function textOf(field: unknown): string | undefined {
  return typeof field === 'string' && field.length <= MAX_TEXT ? field : undefined;
}

function encodeLine({ device, ...letter }: RefusedLine): Buffer {
  const facts = device?.();
  // With the key a letter tells that the device had identified, although it has no zipcode or no city.
  const isUsual = letter.zipcode !== '' && facts?.city !== undefined;
  const hasKey = facts?.key !== undefined && !(isUsual && Buffer.from(letter.zipcode).equals(facts.key));
  const key = hasKey ? facts.key : undefined;
  return encode({ ...letter, value: hideTokens(letter.value), device: facts, key });
}

function encode({ device, ...letter }: DeadLetter): Buffer {
  return encodeBody(letter.value, {
    reason: letter.reason,
    topic: device?.topic ?? letter.topic,
    connection_id: letter.connectionId,
    zipcode: letter.zipcode,
    ...(device?.city !== undefined && { city: device.city }),
    ...(device?.deviceId !== undefined && { device_id: device.deviceId }),
    remote_address: letter.remoteAddress,
    received_at: new Date(letter.receivedAtMs).toISOString(),
    ...(device?.tags !== undefined && { tags: device.tags }),
    ...(letter.key !== undefined && { key: letter.key }),
    ...(device?.plain !== undefined && { plain: device.plain }),
    ...Object.fromEntries(
      (letter.recordHeaders ?? []).map(([name, value]) => [`${RECORD_HEADER}${name}`, value]),
    ),
  });
}
