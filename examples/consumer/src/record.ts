// Turns a Kafka record into a reading, or says why it is none. It never throws: a bad record must not stop the consumer.
import { createHash } from 'node:crypto';
import { rawMembers } from './raw.ts';
import type { Settings } from './settings.ts';

/** A record as it came from Kafka. `at` is the record's time in milliseconds. */
export interface SourceRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly at: string;
  readonly value: Buffer | null;
}

/** The weather fields with a number, and their short names in the columns of the figures. */
export const WEATHER_FIELDS = {
  temperature: 'temp',
  humidity: 'humidity',
  precipitation: 'precip',
  wind_speed: 'wind',
  pollution_index: 'pollution',
  pollen_index: 'pollen',
} as const;
export type WeatherField = keyof typeof WEATHER_FIELDS;

/** Why a reading is not in the tables of the old system. It is in `sluice_readings` all the same. */
export type Skipped = 'no_zipcode' | 'long_zipcode' | 'no_timestamp' | 'time_out_of_range';

export interface Reading {
  readonly record: SourceRecord;
  readonly connectionId: string;
  readonly deviceId: string | null;
  readonly seq: number | null;
  readonly zipcode: string | null;
  readonly city: string | null;
  readonly receivedAt: string;
  /** When the device measured, if it says so in `timestamp`. */
  readonly measuredAt: string | null;
  readonly data: Readonly<Record<string, unknown>>;
  /** The same as it was sent, digit for digit. */
  readonly dataText: string;
  readonly tagsText: string | null;
  readonly key: ReadingKey;
  readonly skipped: Skipped | null;
}

/** Two records with equal keys are copies of one reading. */
export interface ReadingKey {
  readonly source: string;
  readonly number: string;
  /** A hash in the form of a UUID: of `data` as it was sent, because the readings of an array share their `seq`. */
  readonly part: string;
}

export type Rejection = 'empty' | 'not_utf8' | 'not_json' | 'not_a_reading';
export type Decoded =
  | { readonly kind: 'reading'; readonly reading: Reading }
  | { readonly kind: 'rejected'; readonly record: SourceRecord; readonly reason: Rejection };

const MAX_ZIPCODE_CHARACTERS = 10;
/** A device whose clock is wrong must not make figures for the year 2100, nor for the year 0. */
const MAX_AHEAD_MS = 24 * 3_600_000;
const EARLIEST_MS = Date.UTC(2000, 0, 1);
const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function decode(record: SourceRecord, rules: Pick<Settings, 'keyBy' | 'numberField'>): Decoded {
  const rejected = (reason: Rejection) => ({ kind: 'rejected', record, reason }) as const;
  if (record.value === null || record.value.length === 0) return rejected('empty');
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(record.value);
  } catch {
    return rejected('not_utf8');
  }
  try {
    value = JSON.parse(text);
  } catch {
    return rejected('not_json');
  }
  // Fields that we do not know are ignored. A plain line, which any sender may write, has no connection_id.
  if (!isObject(value) || !isObject(value.data)) return rejected('not_a_reading');
  const { data } = value;
  const connectionId = textOf(value.connection_id);
  const receivedMs = timeOf(value.received_at);
  if (connectionId === null || receivedMs === undefined) return rejected('not_a_reading');
  const deviceId = textOf(value.device_id);
  const zipcode = textOf(value.zipcode);
  const seq = Number.isSafeInteger(value.seq) ? (value.seq as number) : null;
  const measuredMs = timeOf(data.timestamp);
  const raw = rawMembers(text);
  const dataText = raw.get('data') ?? '';
  const isPlausible = measuredMs !== undefined && isNear(measuredMs, receivedMs);
  return {
    kind: 'reading',
    reading: {
      record,
      connectionId,
      deviceId,
      seq,
      zipcode,
      city: textOf(value.city),
      receivedAt: new Date(receivedMs).toISOString(),
      measuredAt: isPlausible ? new Date(measuredMs).toISOString() : null,
      data,
      dataText,
      tagsText: raw.get('tags') ?? null,
      key: keyOf({
        record,
        connectionId,
        deviceId,
        seq,
        dataText,
        own: rules.numberField === undefined ? undefined : data[rules.numberField],
        keyBy: rules.keyBy,
      }),
      skipped: skippedFor(zipcode, measuredMs, isPlausible),
    },
  };
}

/** A number of `data` that is not too large, else null. */
export function numberOf(value: unknown, limit = Number.MAX_VALUE): number | null {
  return typeof value === 'number' && Math.abs(value) <= limit ? value : null;
}

interface KeyFacts {
  readonly record: SourceRecord;
  readonly connectionId: string;
  readonly deviceId: string | null;
  readonly seq: number | null;
  readonly dataText: string;
  readonly own: unknown;
  readonly keyBy: Settings['keyBy'];
}

function keyOf({ record, connectionId, deviceId, seq, dataText, own, keyBy }: KeyFacts): ReadingKey {
  if (deviceId !== null && Number.isSafeInteger(own))
    return { source: deviceId, number: String(own), part: hash('own number') };
  const source = keyBy === 'device' && deviceId !== null ? deviceId : connectionId;
  if (seq !== null) return { source, number: String(seq), part: hash(dataText) };
  // Without a number nobody can recognise a copy that the device or Sluice made. The place in the topic still tells a
  // record that is read twice. The connection's id is in it because a topic that was made again counts from 0 again.
  const place = `${record.topic}/${record.partition}`;
  return { source: connectionId, number: record.offset, part: hash(`offset ${place}`) };
}

/** 128 bits of SHA-256. */
const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);

function skippedFor(
  zipcode: string | null,
  measuredMs: number | undefined,
  isPlausible: boolean,
): Skipped | null {
  if (zipcode === null) return 'no_zipcode';
  // PostgreSQL counts characters as code points.
  if ([...zipcode].length > MAX_ZIPCODE_CHARACTERS) return 'long_zipcode';
  if (measuredMs === undefined) return 'no_timestamp';
  return isPlausible ? null : 'time_out_of_range';
}

const isNear = (measuredMs: number, receivedMs: number) =>
  measuredMs >= EARLIEST_MS && measuredMs <= receivedMs + MAX_AHEAD_MS;

/** Milliseconds of a time of RFC 3339, which the old writer wants too. Undefined for anything else. */
function timeOf(value: unknown): number | undefined {
  const parts = typeof value === 'string' ? RFC_3339.exec(value) : null;
  if (parts === null || typeof value !== 'string') return undefined;
  const [year, month, day] = parts.slice(1).map(Number);
  // Date.parse takes February 30 for March 2.
  const lastDay = new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
  if (day === undefined || day < 1 || day > lastDay) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : ms;
}

const textOf = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
