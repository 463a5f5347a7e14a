// The kinds of value of the settings for identity, keys and headers of records. The headers are parsed here to the form in
// which they are written.
import { type Kind, kind, mapped, text } from './kinds.ts';

/** The source of a header of a record. A `constant` is the same in all records. */
export type HeaderSource = 'remote_address' | 'device_id' | 'traceparent' | 'record_id' | 'received_at';

export interface HeaderSetting {
  readonly name: string;
  readonly from: HeaderSource | { readonly constant: Uint8Array };
}

const FIELD = '(?:zipcode|city|device_id|tags\\.[^,\\p{Cc}]{1,64})';
const KEY = /^(?:zipcode|device_id|tags\.[^,\p{Cc}]{1,64})$/u;
const FIELDS = new RegExp(`^(?:${FIELD}(?: *, *${FIELD}){0,31})?$`, 'u');

/** The fields that a device has to give in identify. */
export function identifyFields(): Kind<readonly string[]> {
  const allowed = 'a list of zipcode, city, device_id and tags.NAME, separated by commas, or empty';
  return mapped(text(allowed, FIELDS), (list) =>
    list === '' ? [] : [...new Set(list.split(',').map((field) => field.trim()))],
  );
}

export function recordKey(): Kind<string> {
  return text('zipcode, device_id or tags.NAME', KEY);
}

export const MAX_HEADERS = 32;
export const MAX_CONSTANT_BYTES = 1024;
const MAX_LIST_LENGTH = 8192;

/** The words of KAFKA_HEADERS that stand for one header of the same name. */
const WORDS = ['remote_address', 'device_id', 'traceparent'] as const;

/** CloudEvents 1.0, binary mode (its binding for Kafka). A constant of the same name replaces the first three. */
const CLOUD_EVENT: readonly HeaderSetting[] = [
  { name: 'ce_source', from: { constant: Buffer.from('/sluice') } },
  { name: 'ce_type', from: { constant: Buffer.from('sluice.reading') } },
  { name: 'content-type', from: { constant: Buffer.from('application/json') } },
  { name: 'ce_specversion', from: { constant: Buffer.from('1.0') } },
  { name: 'ce_id', from: 'record_id' },
  { name: 'ce_time', from: 'received_at' },
];

export function recordHeaders(): Kind<readonly HeaderSetting[]> {
  const allowed =
    `a list of remote_address, device_id, traceparent, cloudevents and name=value, separated by commas; values percent-encoded, ` +
    `or guid:UUID, int32:NUMBER, int64:NUMBER. At most ${MAX_HEADERS} headers, constants of ${MAX_CONSTANT_BYTES} bytes in all, no name twice; or empty`;
  return kind(allowed, (list) =>
    list.length <= MAX_LIST_LENGTH && !list.includes('\n') ? parseHeaders(list) : undefined,
  );
}

/** Undefined if the text is not allowed. */
export function parseHeaders(list: string): readonly HeaderSetting[] | undefined {
  const headers: HeaderSetting[] = [];
  let constantBytes = 0;
  const entries = list === '' ? [] : list.split(',').map((entry) => entry.trim());
  for (const entry of entries) {
    const word = WORDS.find((each) => each === entry);
    const header = word === undefined ? constant(entry) : { name: word, from: word };
    if (entry === 'cloudevents') headers.push(...CLOUD_EVENT.filter(({ name }) => !isGiven(name, entries)));
    else if (header === undefined) return undefined;
    else headers.push(header);
    if (header !== undefined && typeof header.from === 'object')
      constantBytes += Buffer.byteLength(header.name) + header.from.constant.length;
  }
  const names = new Set(headers.map(({ name }) => name));
  const fits = headers.length <= MAX_HEADERS && constantBytes <= MAX_CONSTANT_BYTES;
  return fits && names.size === headers.length ? headers : undefined;
}

/** A constant takes the place of an attribute of CloudEvents that may be chosen. */
function isGiven(name: string, entries: readonly string[]): boolean {
  const mayBeChosen = CLOUD_EVENT.slice(0, 3).some((each) => each.name === name);
  return mayBeChosen && entries.some((entry) => entry.startsWith(`${name}=`));
}

const CONSTANT = /^([\w.-]{1,128})=([!-~](?:[ -~]*[!-~])?)$/;

function constant(entry: string): HeaderSetting | undefined {
  const [, name, value = ''] = CONSTANT.exec(entry) ?? [];
  const bytes = valueBytes(value);
  return name === undefined || bytes === undefined ? undefined : { name, from: { constant: bytes } };
}

function valueBytes(value: string): Uint8Array | undefined {
  const [, type, typed = ''] = /^(guid|int32|int64):(.*)$/.exec(value) ?? [];
  switch (type) {
    case 'guid':
      return guidBytes(typed);
    case 'int32':
      return numberBytes(typed, 4);
    case 'int64':
      return numberBytes(typed, 8);
    default:
      return textBytes(value);
  }
}

/** As Confluent's HeaderSchemaIdSerializer writes a schema's GUID: a byte 1, then the 16 bytes of the UUID. */
function guidBytes(text: string): Uint8Array | undefined {
  const isGuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
  return isGuid ? Buffer.from(`01${text.replaceAll('-', '')}`, 'hex') : undefined;
}

/** Signed, the highest byte first, as Apicurio's serializers write an id. */
function numberBytes(text: string, bytes: 4 | 8): Uint8Array | undefined {
  if (!/^-?\d{1,19}$/.test(text)) return undefined;
  const number = BigInt(text);
  if (BigInt.asIntN(8 * bytes, number) !== number) return undefined;
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(number);
  return buffer.subarray(8 - bytes);
}

function textBytes(text: string): Uint8Array | undefined {
  try {
    const decoded = decodeURIComponent(text);
    return /\p{Cc}/u.test(decoded) ? undefined : Buffer.from(decoded);
  } catch {
    return undefined;
  }
}
