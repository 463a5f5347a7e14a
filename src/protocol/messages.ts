// Decodes a line of a device into a checked message or a refusal. This decoder is complete; metrics-scan.ts is its short
// cut for the usual line, and its records are the same byte for byte. No line makes it throw: an exception costs more
// than all the rest.
import { isUtf8 } from 'node:buffer';
import type { Code } from './codes.ts';
import { beginsObject, type Field, MessageFields } from './message-fields.ts';
import { ReadingDecoder } from './readings.ts';

export interface Identify {
  readonly type: 'identify';
  readonly zipcode: string;
  readonly city: string;
  readonly device_id?: string | undefined;
  readonly token?: string | undefined;
}

export interface Metrics {
  readonly type: 'metrics';
  /** Undefined if the device asks for no confirmation. */
  readonly seq: number | undefined;
  /** The JSON text of each reading, in order. At least one. */
  readonly readings: readonly string[];
}

export interface Refusal {
  readonly type: 'refused';
  readonly code: Code;
  readonly message: string;
  /** The seq of the line if it has a valid one. */
  readonly seq: number | undefined;
}

export type Decoded = Identify | Metrics | { readonly type: 'keepalive' } | Refusal;

interface Form {
  /** Most characters. */
  readonly max: number;
  readonly isOptional: boolean;
  readonly allows: (text: string) => boolean;
  /** The form in words, for the reply. */
  readonly text: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it has to find control characters
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** In the order in which they are checked. */
const IDENTIFY_FORMS: Readonly<Record<'zipcode' | 'city' | 'device_id' | 'token', Form>> = {
  zipcode: {
    max: 16,
    isOptional: false,
    allows: (text) => /^[A-Za-z0-9-]{1,16}$/.test(text),
    text: '1-16 of A-Z a-z 0-9 -',
  },
  city: {
    max: 128,
    isOptional: false,
    allows: (text) => text !== '' && !CONTROL.test(text) && text.isWellFormed(),
    text: '1-128 characters, no control characters',
  },
  device_id: {
    max: 64,
    isOptional: true,
    allows: (text) => /^[A-Za-z0-9._:-]{1,64}$/.test(text),
    text: '1-64 of A-Z a-z 0-9 . _ : -',
  },
  token: { max: 1024, isOptional: true, allows: () => true, text: 'a string of up to 1024 characters' },
};
type IdentifyField = keyof typeof IDENTIFY_FORMS;
const IDENTIFY_FIELDS = Object.entries(IDENTIFY_FORMS) as [IdentifyField, Form][];

const SEQ = 'an integer from 0 to 9007199254740991';
const MAX_SEQ_DIGITS = 16;
const MAX_TYPE_LENGTH = 'keepalive'.length;

// Decoding is synchronous, so one of each is enough.
const fields = new MessageFields();
const decoder = new ReadingDecoder();

/** True if the text is allowed as a `device_id`. */
export function isDeviceId(text: string): boolean {
  return IDENTIFY_FORMS.device_id.allows(text);
}

/** Decodes bytes[start, end), a line without its LF and CR. Never throws. */
export function decodeLine(bytes: Uint8Array, start: number, end: number): Decoded {
  if (!beginsObject(bytes, start, end)) return refuse('invalid_json', 'the line is not a JSON object');
  const line = new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
  if (!isUtf8(line)) return refuse('invalid_utf8', 'the line is not valid UTF-8');
  if (!fields.read(line)) return refuse('invalid_json', 'the line is not valid JSON');
  const seq = seqOf();
  const { duplicate } = fields;
  if (duplicate !== undefined)
    return refuse('invalid_message', `field '${duplicate.slice(0, 64).toWellFormed()}' appears twice`, seq);
  switch (fields.string('type', MAX_TYPE_LENGTH)) {
    case 'metrics':
      return metrics(seq);
    case 'identify':
      return identify(seq);
    case 'keepalive':
      return { type: 'keepalive' };
    default:
      return refuseField('type', 'identify, metrics or keepalive', seq);
  }
}

function metrics(seq: number | undefined): Metrics | Refusal {
  // 41.0 and 4.1e1 are numbers of the same value, but only plain digits are a sequence number.
  if (seq === undefined && fields.start('seq') >= 0) return refuseField('seq', SEQ);
  const data = fields.start('data');
  if (data < 0) return refuseField('data', 'missing', seq);
  const readings = decoder.decode(fields.bytes, data, fields.length);
  if (!readings.ok) return refuse('invalid_message', readings.problem, seq);
  return { type: 'metrics', seq, readings: readings.readings };
}

function identify(seq: number | undefined): Identify | Refusal {
  const found: Partial<Record<IdentifyField, string>> = {};
  for (const [field, form] of IDENTIFY_FIELDS) {
    if (form.isOptional && fields.start(field) < 0) continue;
    const text = fields.string(field, form.max);
    if (text === undefined || !isAtMost(text, form.max) || !form.allows(text))
      return refuseField(field, form.text, seq);
    found[field] = text;
  }
  return { type: 'identify', zipcode: '', city: '', ...found };
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

function refuse(code: Code, message: string, seq?: number): Refusal {
  return { type: 'refused', code, message, seq };
}
