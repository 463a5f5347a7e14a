// Notes the records that tests read from topics, and which topics have alarms.
import { note } from './traffic-file.ts';

/** Keys, values and headers have one character a byte. */
export interface RecordEntry {
  readonly topic: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A topic of alarms. */
export interface TopicEntry {
  readonly topic: string;
}

interface Bytes {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, readonly Uint8Array[]>>;
}

const RECORDS = { first: 100, oneIn: 53 };

export function noteRecord(topic: string, { key, value, headers }: Bytes): void {
  const entry = (): RecordEntry => ({
    topic,
    key: textOf(key),
    value: textOf(value),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, values]) => [name, textOf(values[0] ?? null) ?? '']),
    ),
  });
  note('record', topic, entry, RECORDS);
}

/** No gateway writes alarms, so none names their topic. */
export function noteAlarms(topic: string): void {
  note('topic', topic, () => ({ topic }) satisfies TopicEntry);
}

const textOf = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString('latin1');
