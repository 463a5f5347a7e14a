// Decodes a line of a device into a checked message or a refusal. This decoder is complete; metrics-scan.ts is its short
// cut for the usual line, and its records are the same byte for byte. No line makes it throw: an exception costs more
// than all the rest.
import { isUtf8 } from 'node:buffer';
import type { Code } from './codes.ts';
import { skipSpace } from './json-scan.ts';
import { isMessageType, KNOWN_FIELDS, type MessageType } from './known-fields.ts';
import { columnAt, invalidUtf8At } from './line-column.ts';
import { type LineRules, USUAL_RULES } from './line-rules.ts';
import { beginsObject, type Field, MessageFields } from './message-fields.ts';
import { ReadingDecoder } from './readings.ts';
import { identityField } from './record-key.ts';
import { decodeTags, type Tags } from './tags.ts';
import { isTraceparent, TRACEPARENT_LENGTH } from './traceparent.ts';

export interface Identify {
  readonly type: 'identify';
  readonly zipcode?: string | undefined;
  readonly city?: string | undefined;
  readonly device_id?: string | undefined;
  readonly token?: string | undefined;
  /** Undefined also if the device sent an empty object. */
  readonly tags?: Tags | undefined;
  /** The device wants to know the highest seq that is stored for its device_id. */
  readonly resume?: boolean;
}

export interface Metrics {
  readonly type: 'metrics';
  /** Undefined if the device asks for no confirmation. */
  readonly seq: number | undefined;
  /** The JSON text of each reading, in order. At least one. */
  readonly readings: readonly string[];
  /** Of the trace that the message belongs to, if the rules ask for it. */
  readonly traceparent?: string | undefined;
}

export interface Refusal {
  readonly type: 'refused';
  readonly code: Code;
  readonly message: string;
  /** The seq of the line if it has a valid one. */
  readonly seq: number | undefined;
}

/** A message that is only its type. */
export interface Plain {
  readonly type: 'keepalive' | 'time';
}

export type Decoded = (Identify | Metrics | Plain | Refusal) & {
  /** A top-level field that is ignored because its type of message has no such field. */
  readonly unknown?: string;
};

interface Form {
  /** Most characters. */
  readonly max: number;
  readonly allows: (text: string) => boolean;
  /** The text as records and figures have it, if that is not the text as sent. */
  readonly shown?: (text: string) => string;
  /** The form in words, for the reply. */
  readonly text: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it has to find control characters
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: it has to find control characters
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

/** Most characters of the fields of identify. */
export const IDENTIFY_LENGTHS = { zipcode: 64, city: 256, device_id: 64, token: 1024 } as const;
export const DEVICE_ID = /^[A-Za-z0-9._:-]{1,64}$/;

/** In the order in which they are checked. */
const IDENTIFY_FORMS: Readonly<Record<'zipcode' | 'city' | 'device_id' | 'token', Form>> = {
  zipcode: {
    max: IDENTIFY_LENGTHS.zipcode,
    allows: (text) => text !== '' && !CONTROL.test(text) && text.isWellFormed(),
    text: '1-64 characters, no control characters',
  },
  city: {
    max: IDENTIFY_LENGTHS.city,
    allows: (text) => text !== '' && text.isWellFormed(),
    shown: (text) => text.replace(CONTROLS, ' '),
    text: '1-256 characters',
  },
  device_id: {
    max: IDENTIFY_LENGTHS.device_id,
    allows: (text) => DEVICE_ID.test(text),
    text: '1-64 of A-Z a-z 0-9 . _ : -',
  },
  token: {
    max: IDENTIFY_LENGTHS.token,
    allows: () => true,
    text: 'a string of up to 1024 characters',
  },
};
type IdentifyField = keyof typeof IDENTIFY_FORMS;
const IDENTIFY_FIELDS = Object.entries(IDENTIFY_FORMS) as [IdentifyField, Form][];

const SEQ = 'an integer from 0 to 9007199254740991';
const NO_TAGS = '{}';
const TRACEPARENT = 'a traceparent of W3C Trace Context, 55 characters such as 00-<32 hex>-<16 hex>-01';
const MAX_SEQ_DIGITS = 16;
const MAX_TYPE_LENGTH = 'keepalive'.length;
const TYPES = 'identify, metrics, keepalive or time';
const MAX_BOOLEAN_BYTES = 'false'.length;

// Decoding is synchronous, so one of each is enough.
const fields = new MessageFields();
const decoder = new ReadingDecoder();

/** True if the text is allowed as a `device_id`. */
export function isDeviceId(text: string): boolean {
  return IDENTIFY_FORMS.device_id.allows(text);
}

/** Decodes bytes[start, end), a line without its LF and CR. Never throws. */
export function decodeLine(bytes: Uint8Array, start: number, end: number, rules = USUAL_RULES): Decoded {
  const line = new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
  if (!beginsObject(line, 0, line.length))
    return refuseAt('invalid_json', 'the line is not a JSON object', { line, at: skipSpace(line, 0) });
  if (!isUtf8(line))
    return refuseAt('invalid_utf8', 'the line is not valid UTF-8', { line, at: invalidUtf8At(line) });
  if (!fields.read(line))
    return refuseAt('invalid_json', 'the line is not valid JSON', { line, at: fields.fault });
  const seq = seqOf();
  const { duplicate } = fields;
  if (duplicate !== undefined)
    return refuse('invalid_message', `field '${duplicate.slice(0, 64).toWellFormed()}' appears twice`, seq);
  const type = fields.string('type', MAX_TYPE_LENGTH);
  if (!isMessageType(type)) return refuseField('type', TYPES, seq);
  const decoded = ofType(type, line, seq, rules);
  const unknown = fields.unknown(KNOWN_FIELDS[type]);
  return unknown === undefined ? decoded : { ...decoded, unknown };
}

function ofType(type: MessageType, line: Uint8Array, seq: number | undefined, rules: LineRules): Decoded {
  switch (type) {
    case 'metrics':
      return metrics(line, seq, rules);
    case 'identify':
      return identify(seq, rules);
    case 'keepalive':
    case 'time':
      return { type };
  }
}

function metrics(line: Uint8Array, seq: number | undefined, rules: LineRules): Metrics | Refusal {
  // 41.0 and 4.1e1 are numbers of the same value, but only plain digits are a sequence number.
  if (seq === undefined && fields.start('seq') >= 0) return refuseField('seq', SEQ);
  const data = fields.start('data');
  if (data < 0) return refuseField('data', 'missing', seq);
  const isTraced = rules.traceparent && fields.start('traceparent') >= 0;
  const traceparent = isTraced ? fields.string('traceparent', TRACEPARENT_LENGTH) : undefined;
  if (isTraced && !isTraceparent(traceparent)) return refuseField('traceparent', TRACEPARENT, seq);
  const readings = decoder.decode(fields.bytes, data, fields.length);
  if (!readings.ok) return refuseAt('invalid_message', readings.problem, { line, at: readings.at }, seq);
  return { type: 'metrics', seq, readings: readings.readings, ...(isTraced && { traceparent }) };
}

function identify(seq: number | undefined, rules: LineRules): Identify | Refusal {
  const found: Partial<Record<IdentifyField, string>> = {};
  for (const [field, form] of IDENTIFY_FIELDS) {
    // Whether a device_id is missing is for the connection: a certificate may fix it.
    const mayBeMissing = field === 'device_id' || !rules.identify.includes(field);
    if (mayBeMissing && fields.start(field) < 0) continue;
    const text = fields.string(field, form.max);
    if (text === undefined || !isAtMost(text, form.max) || !form.allows(text))
      return refuseField(field, form.text, seq);
    found[field] = form.shown?.(text) ?? text;
  }
  const tags = tagsOf();
  if (tags !== undefined && !tags.ok) return refuse('invalid_message', tags.problem, seq);
  const resume = fields.start('resume') < 0 ? 'false' : fields.raw('resume', MAX_BOOLEAN_BYTES);
  if (resume !== 'true' && resume !== 'false') return refuseField('resume', 'true or false', seq);
  const message: Identify = {
    type: 'identify',
    ...found,
    ...(tags && { tags: tags.tags }),
    ...(resume === 'true' && { resume: true }),
  };
  const missing = rules.identify.find(
    (name) => name.startsWith('tags.') && identityField(message, name) === undefined,
  );
  return missing === undefined ? message : refuse('invalid_message', missingText(missing), seq);
}

/** Undefined if the message has none. */
function tagsOf() {
  const start = fields.start('tags');
  if (start < 0) return undefined;
  const decoded = decodeTags(fields.bytes, start);
  return decoded.ok && decoded.tags.text === NO_TAGS ? undefined : decoded;
}

/** Tells a device which field of identify it left out. */
export function missingText(field: string): string {
  const form = IDENTIFY_FORMS[field as IdentifyField] as Form | undefined;
  return `field '${field}': ${form?.text ?? 'missing'}`;
}

function seqOf(): number | undefined {
  const raw = fields.raw('seq', MAX_SEQ_DIGITS);
  if (raw === undefined || !/^(?:0|[1-9][0-9]*)$/.test(raw)) return undefined;
  const seq = Number(raw);
  return Number.isSafeInteger(seq) ? seq : undefined;
}

/** Characters are code points: an emoji counts as one although it has two UTF-16 units. */
function isAtMost(text: string, characters: number): boolean {
  if (text.length <= characters) return true;
  return text.length <= 2 * characters && [...text].length <= characters;
}

function refuseField(field: Field, problem: string, seq?: number): Refusal {
  return refuse('invalid_message', `field '${field}': ${problem}`, seq);
}

/** A refusal that tells the column of the fault. */
function refuseAt(
  code: Code,
  message: string,
  { line, at }: { line: Uint8Array; at: number },
  seq?: number,
): Refusal {
  return refuse(code, `${message}: column ${columnAt(line, at)}`, seq);
}

function refuse(code: Code, message: string, seq?: number): Refusal {
  return { type: 'refused', code, message, seq };
}
