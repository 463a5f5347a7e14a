// Encodes the headers of the records of a connection (KAFKA_HEADERS). All but the times and the numbers in them are
// encoded once a connection; constants alone are encoded once for all connections.
//
// The section of a record: a varint count, then for each header the varint length of its name, the name, the varint length
// of its value, the value. There are at most 33, so the count has one byte. A traceparent is the last, since not every
// record has one.
import type { HeaderSetting } from '../../config/identity-kinds.ts';
import { type RecordHeaders, receivedAtText } from '../../protocol/record-frame.ts';
import { TRACEPARENT_LENGTH } from '../../protocol/traceparent.ts';
import { writeVarint } from './varint.ts';

/** Digits of a record's number within its connection, in its id: 2^53 has 16. */
const NUMBER_DIGITS = 16;
const TIME_LENGTH = '2026-11-21T08:00:00.123Z'.length;
/** A length below 2^20 has at most three bytes. */
const MAX_LENGTH_BYTES = 3;

export interface HeaderFacts {
  readonly connectionId: string;
  readonly remoteAddress: string;
  readonly deviceId?: string | undefined;
}

export type HeaderMaker = (facts: HeaderFacts) => RecordHeaders | undefined;

/** Returns undefined for a connection whose records have no headers. */
export function headerMaker(settings: readonly HeaderSetting[]): HeaderMaker {
  if (settings.length === 0) return () => undefined;
  const isShared = settings.every(({ from }) => typeof from === 'object');
  if (!isShared) return (facts) => new EncodedHeaders(settings, facts);
  const shared = new EncodedHeaders(settings, { connectionId: '', remoteAddress: '' });
  return () => shared;
}

class EncodedHeaders implements RecordHeaders {
  /** Room for a traceparent included. */
  readonly maxBytes: number;
  readonly #bytes: Buffer;
  /** The section without a traceparent. */
  readonly #usual: Buffer;
  /** Position of the digits in the id of a record, and of its time. -1 = there is none. */
  #numberAt = -1;
  #timeAt = -1;
  #traceAt = -1;
  #number = 0;
  /** Without a traceparent. */
  readonly #count: number;
  #timeMs = Number.NaN;

  constructor(settings: readonly HeaderSetting[], facts: HeaderFacts) {
    const given = settings.flatMap(({ name, from }) => {
      const value = from === 'traceparent' ? undefined : valueBytes(from, facts);
      return value === undefined ? [] : [{ name: Buffer.from(name), value, from }];
    });
    this.#count = given.length;
    const isTraced = settings.some(({ from }) => from === 'traceparent');
    const trace = { name: Buffer.from('traceparent'), value: Buffer.alloc(TRACEPARENT_LENGTH) };
    const all = isTraced ? [...given, { ...trace, from: 'traceparent' as const }] : given;
    const bound = all.reduce(
      (sum, { name, value }) => sum + name.length + value.length + 2 * MAX_LENGTH_BYTES,
      1,
    );
    this.#bytes = Buffer.alloc(bound);
    let at = writeVarint(this.#bytes, 0, given.length);
    let usualEnd = at;
    for (const { name, value, from } of all) {
      at = this.#part(at, name);
      at = this.#part(at, value);
      if (from === 'record_id') this.#numberAt = at - NUMBER_DIGITS;
      if (from === 'received_at') this.#timeAt = at - TIME_LENGTH;
      if (from === 'traceparent') this.#traceAt = at - TRACEPARENT_LENGTH;
      else usualEnd = at;
    }
    this.#bytes = this.#bytes.subarray(0, at);
    this.#usual = this.#bytes.subarray(0, usualEnd);
    this.maxBytes = at;
  }

  next(receivedAtMs: number, traceparent: Uint8Array | undefined): Uint8Array {
    if (this.#timeAt >= 0 && receivedAtMs !== this.#timeMs) {
      this.#timeMs = receivedAtMs;
      this.#bytes.set(receivedAtText(receivedAtMs), this.#timeAt);
    }
    if (this.#numberAt >= 0) this.#bytes.write(numberText(++this.#number), this.#numberAt, 'latin1');
    if (this.#traceAt < 0) return this.#bytes;
    const isTraced = traceparent !== undefined;
    // The count is the first byte, zigzag: twice the number.
    this.#bytes[0] = 2 * (isTraced ? this.#count + 1 : this.#count);
    if (!isTraced) return this.#usual;
    this.#bytes.set(traceparent, this.#traceAt);
    return this.#bytes;
  }

  #part(at: number, bytes: Uint8Array): number {
    const start = writeVarint(this.#bytes, at, bytes.length);
    this.#bytes.set(bytes, start);
    return start + bytes.length;
  }
}

function valueBytes(from: HeaderSetting['from'], facts: HeaderFacts): Uint8Array | undefined {
  if (typeof from === 'object') return from.constant;
  switch (from) {
    case 'remote_address':
      return Buffer.from(facts.remoteAddress);
    case 'device_id':
      return facts.deviceId === undefined ? undefined : Buffer.from(facts.deviceId);
    case 'record_id':
      return Buffer.from(`${facts.connectionId}-${numberText(0)}`);
    case 'received_at':
      return Buffer.alloc(TIME_LENGTH);
    case 'traceparent':
      return undefined;
  }
}

function numberText(number: number): string {
  return `${number}`.padStart(NUMBER_DIGITS, '0');
}
