// Reads back from a record whose reading it holds. It shares no code with the gateway, so that one mistake cannot hide another.
import { crc32 } from '@node-rs/crc32';
import type { Identity, LogRecord } from './facts.ts';

export interface Reading extends Identity {
  readonly device: string;
  readonly number: number;
  readonly index: number;
  readonly connection: string;
  readonly seq: unknown;
  /** Milliseconds since 1970; NaN if the record does not say so. */
  readonly receivedAtMs: number;
  /** CRC-32 of the JSON text of the reading, as it stands in the record. */
  readonly checksum: number;
  readonly key: string | null;
  readonly partition: number;
  readonly offset: number;
  readonly batch: number;
}

const DATA = ',"data":';
/** In front of the data. No value of a simulated tag has a brace. */
const TAGS = /,"tags":(\{[^}]*\})/;

/** Undefined if the record holds no reading that a simulated device can have sent. */
export function readingIn(record: LogRecord, partition: number): Reading | undefined {
  const { value, key, offset, batch } = record;
  const dataAt = value.indexOf(DATA);
  const data = value.slice(dataAt + DATA.length, -1);
  const tags = TAGS.exec(value.slice(0, dataAt))?.[1];
  try {
    const {
      connection_id: connection,
      zipcode,
      city,
      device_id: deviceId,
      seq,
      received_at: at,
    } = JSON.parse(value) as Record<string, unknown>;
    const { d: device, m: number, i: index } = JSON.parse(data) as Record<string, unknown>;
    if (typeof device !== 'string' || typeof connection !== 'string') return undefined;
    if (!isTextOrMissing(zipcode) || !isTextOrMissing(city) || !isTextOrMissing(deviceId)) return undefined;
    if (typeof number !== 'number' || typeof index !== 'number') return undefined;
    const receivedAtMs = typeof at === 'string' ? Date.parse(at) : Number.NaN;
    const checksum = crc32(data);
    return {
      device,
      number,
      index,
      connection,
      zipcode,
      city,
      deviceId,
      tags,
      seq,
      receivedAtMs,
      checksum,
      key,
      partition,
      offset,
      batch,
    };
  } catch {
    return undefined;
  }
}

function isTextOrMissing(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

export const nameOf = ({ device, number, index }: Pick<Reading, 'device' | 'number' | 'index'>): string =>
  `${device} ${number}.${index}`;
