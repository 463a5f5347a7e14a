// Decodes a line of a device into a checked message or a refusal. This decoder is complete; metrics-scan.ts is its short
// cut for the usual line, and its records are the same byte for byte.
import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import type { Code } from './codes.ts';
import { duplicateKey, type Member, members } from './json-text.ts';
import { decodeReadings, isName } from './readings.ts';

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

const ZIPCODE = '1-16 of A-Z a-z 0-9 -';
const CITY = '1-128 characters, no control characters';
const DEVICE_ID = '1-64 of A-Z a-z 0-9 . _ : -';

const identifySchema = z.object({
  type: z.literal('identify'),
  zipcode: z.string(ZIPCODE).regex(/^[A-Za-z0-9-]{1,16}$/, ZIPCODE),
  city: z.string(CITY).refine((city) => isName(city, 128), CITY),
  device_id: z
    .string(DEVICE_ID)
    .regex(/^[A-Za-z0-9._:-]{1,64}$/, DEVICE_ID)
    .optional(),
  token: z.string('a string').max(1024, 'up to 1024 characters').optional(),
});

const SEQ = 'an integer from 0 to 9007199254740991';

const metricsSchema = z.object({
  type: z.literal('metrics'),
  seq: z.int(SEQ).min(0, SEQ).max(Number.MAX_SAFE_INTEGER, SEQ).optional(),
  // decodeReadings checks the rest: it needs the text as written.
  data: z.custom<unknown>((data) => data !== undefined, 'missing'),
});

const keepaliveSchema = z.object({ type: z.literal('keepalive') });

const messageSchema = z.discriminatedUnion('type', [identifySchema, metricsSchema, keepaliveSchema], {
  error: (issue) => (issue.code === 'invalid_union' ? 'identify, metrics or keepalive' : undefined),
});

/** Decodes bytes[start, end), a line without its LF and CR. Never throws. */
export function decodeLine(bytes: Uint8Array, start: number, end: number): Decoded {
  const line = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  if (!isUtf8(line)) return refuse('invalid_utf8', 'the line is not valid UTF-8');
  const text = line.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('invalid_json', 'the line is not valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('invalid_json', 'the line is not a JSON object');
  }
  const fields = members(text);
  const seq = seqOf(fields);
  const twice = duplicateKey(fields);
  if (twice !== undefined)
    return refuse('invalid_message', `field '${twice.slice(0, 64).toWellFormed()}' appears twice`, seq);

  const message = messageSchema.safeParse(value);
  if (!message.success) {
    const issue = message.error.issues[0];
    const problem = `field '${issue?.path.join('.') ?? ''}': ${issue?.message ?? 'invalid'}`;
    return refuse('invalid_message', problem, seq);
  }
  if (message.data.type !== 'metrics') return message.data;
  // 41.0 and 4.1e1 are parsed as 41, but only plain digits are a sequence number.
  if (message.data.seq !== seq) return refuse('invalid_message', `field 'seq': ${SEQ}`);
  const readings = decodeReadings(rawOf(fields, 'data') ?? '');
  if (!readings.ok) return refuse('invalid_message', readings.problem, seq);
  return { type: 'metrics', seq, readings: readings.readings };
}

function seqOf(fields: readonly Member[]): number | undefined {
  const raw = rawOf(fields, 'seq');
  if (raw === undefined || !/^(?:0|[1-9][0-9]{0,15})$/.test(raw)) return undefined;
  const seq = Number(raw);
  return Number.isSafeInteger(seq) ? seq : undefined;
}

function rawOf(fields: readonly Member[], key: string): string | undefined {
  return fields.find((field) => field.key === key)?.raw;
}

function refuse(code: Code, message: string, seq?: number): Refusal {
  return { type: 'refused', code, message, seq };
}
