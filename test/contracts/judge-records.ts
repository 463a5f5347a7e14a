// Holds a record of a topic against the contract of the gateway that wrote to the topic: its value, key and headers.
import type { GatewayFacts } from '../support/traffic/gateway-facts.ts';
import type { RecordEntry } from '../support/traffic/records.ts';
import { faultOf } from './validators.ts';

/** What a topic is for. */
export type TopicKind = 'reading' | 'line' | 'dead' | 'presence' | 'alarm';

/** The purposes of a topic for the gateways of the run. */
export function kindsOf(topic: string, { topics }: GatewayFacts): TopicKind[] {
  const kinds: TopicKind[] = [];
  if (topics.metrics === topic) kinds.push('reading');
  if (topics.lines.includes(topic)) kinds.push('line');
  if (topics.dead === topic) kinds.push('dead');
  if (topics.presence === topic) kinds.push('presence');
  return kinds;
}

interface Read {
  readonly key: string | null;
  /** Undefined if it is no JSON. */
  readonly json: unknown;
  readonly hasValue: boolean;
  /** As text. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Undefined if the record is as the contract says. */
export function recordFault(entry: RecordEntry, kind: TopicKind, facts?: GatewayFacts): string | undefined {
  const read = readEntry(entry);
  switch (kind) {
    case 'reading':
      return facts && readingFault(read, facts);
    case 'line':
      return facts && lineFault(read, facts);
    case 'dead':
      return (
        faultOf('dead-letter-headers', read.headers) ??
        (read.key === null ? undefined : 'a letter has no key')
      );
    case 'presence':
      return presenceFault(read);
    case 'alarm':
      return (
        faultOf('alarm-record', read.json) ??
        (read.key === (read.json as { zipcode?: string }).zipcode ? undefined : 'the key is not the zipcode')
      );
  }
}

function readEntry({ key, value, headers }: RecordEntry): Read {
  const text = value === null ? null : utf8Of(value);
  let json: unknown;
  try {
    json = text === null ? null : (JSON.parse(text) as unknown);
  } catch {
    json = undefined;
  }
  return {
    key: key === null ? null : utf8Of(key),
    json,
    hasValue: value !== null,
    headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, utf8Of(bytes)])),
  };
}

const utf8Of = (bytes: string) => Buffer.from(bytes, 'latin1').toString();

interface ReadingRecord {
  readonly connection_id: string;
  readonly zipcode?: string;
  readonly device_id?: string;
  readonly tags?: Readonly<Record<string, unknown>>;
}

function readingFault({ key, json, headers }: Read, facts: GatewayFacts): string | undefined {
  const fault = faultOf('reading-record', json, facts.rules) ?? headersFault(headers, facts);
  if (fault !== undefined) return fault;
  const wanted = keyOf(json as ReadingRecord, facts.key);
  return wanted === undefined || key === wanted ? undefined : `the key is ${key}, not ${wanted}`;
}

/** Undefined if the digits of a number decide, which JSON.parse() does not keep. */
function keyOf(
  { connection_id, zipcode, device_id, tags }: ReadingRecord,
  setting: string,
): string | undefined {
  const tag = setting.startsWith('tags.') ? tags?.[setting.slice('tags.'.length)] : undefined;
  if (typeof tag === 'number') return undefined;
  const given = setting === 'zipcode' ? zipcode : setting === 'device_id' ? device_id : (tag ?? '');
  return given === undefined || given === '' ? connection_id : String(given);
}

function lineFault({ json, headers }: Read, facts: GatewayFacts): string | undefined {
  return (
    faultOf(facts.rules.isWrapped ? 'wrapped-line-record' : 'plain-line', json) ??
    headersFault(headers, facts)
  );
}

/** A device may have no device_id, and a message no trace. */
const MAY_BE_MISSING = ['device_id', 'traceparent'];

function headersFault(headers: Readonly<Record<string, string>>, facts: GatewayFacts): string | undefined {
  const names = Object.keys(headers);
  const missing = facts.headers.find((name) => !names.includes(name) && !MAY_BE_MISSING.includes(name));
  if (missing !== undefined) return `there is no header ${missing}`;
  const unknown = names.find((name) => !facts.headers.includes(name));
  if (unknown !== undefined) return `the settings name no header ${unknown}`;
  return faultOf('reading-headers', headers);
}

function presenceFault({ key, json, hasValue }: Read): string | undefined {
  if (!hasValue) return key === null ? 'a tombstone has a key' : undefined;
  const fault = faultOf('presence-record', json);
  if (fault !== undefined) return fault;
  const { connection_id, device_id } = json as ReadingRecord;
  return key === connection_id || key === device_id ? undefined : `the key is ${key}`;
}
