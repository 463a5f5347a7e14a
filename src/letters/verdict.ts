// Decides whether a dead letter can be sent again: a refused record as it was, a refused line as the records that it
// would have become. It asks nobody and changes nothing.

import { createHash } from 'node:crypto';
import { type Codec, createCodec } from '../kafka/batches/compression.ts';
import { HEADER_BYTES, type ReadingToWrite, RecordBatchWriter } from '../kafka/batches/record-batch.ts';
import { encodeBody, type Header, headerList } from '../kafka/batches/record-body.ts';
import type { HeaderMaker } from '../kafka/batches/record-headers.ts';
import { type RawRecord, unpack } from '../kafka/batches/split-batch.ts';
import { RECORD_HEADER } from '../kafka/pipelines/dead-letters.ts';
import { hasHiddenToken } from '../protocol/hidden-tokens.ts';
import { skipValue } from '../protocol/json-scan.ts';
import { type LineDecoder, STRICT } from '../protocol/line-decoder.ts';
import type { Metrics } from '../protocol/messages.ts';
import { PlainScan } from '../protocol/plain-line.ts';
import { linesFrame, RecordFrame, recordTail, USUAL_FRAME_BYTES } from '../protocol/record-frame.ts';
import { decodeTags } from '../protocol/tags.ts';
import type { Letter } from './letter.ts';

/** Why a letter is not sent. */
export const NOT_SENT = {
  sent_before: 'an earlier run of `sluice dead resend` sent it',
  copy: 'its device has sent the reading before, or was told to send it again (--with-copies sends it all the same)',
  no_reading: 'the line holds no reading',
  still_refused: 'the line would be refused again',
  no_identity: 'the letter does not say which device sent the line',
  token_hidden: 'a token in the line was hidden, so the line is not what the device sent',
  too_large: 'it is still larger than its topic allows: raise max.message.bytes of the topic',
  topic_missing: 'its topic does not exist: create it',
  topic_denied: 'the login may not see its topic: give it the rights Describe and Write on it',
  not_ours: 'it is no dead letter of Sluice, or is damaged',
} as const;

export type NotSent = keyof typeof NOT_SENT;

export interface Kept {
  readonly kind: 'keep';
  readonly why: NotSent;
  /** The refusal that the line would get now. */
  readonly detail?: string;
}

export type Verdict = { readonly kind: 'send'; readonly records: readonly RawRecord[] } | Kept;

/** The topic that a letter is for, as Kafka describes it. */
export type TargetTopic =
  | { readonly state: 'ready'; readonly maxMessageBytes: number | undefined }
  | { readonly state: 'missing' | 'denied' };

const TOPIC_NAME = /^(?!\.{1,2}$|__)[A-Za-z0-9._-]{1,249}$/;
/** Upper bound of a record's bytes around its body. */
const RECORD_OVERHEAD = 32;
const UNCOMPRESSED = createCodec('none');

/** False for names that are none, and for Kafka's own topics: whoever may write letters names the topic. */
export function isForTopic({ topic }: Pick<Letter, 'topic'>): boolean {
  return TOPIC_NAME.test(topic);
}

export interface VerdictOptions {
  readonly withCopies: boolean;
  readonly codec: Codec;
  /** Of the lines, as the settings make it. */
  readonly decoder?: LineDecoder | undefined;
  /** The headers of the records of a line. None if left out. */
  readonly headersOf?: HeaderMaker | undefined;
}

export async function verdictOn(
  letter: Letter,
  target: TargetTopic,
  { withCopies, codec, decoder, headersOf }: VerdictOptions,
): Promise<Verdict> {
  if (!isForTopic(letter)) return keep('not_ours');
  if (target.state !== 'ready') return keep(target.state === 'missing' ? 'topic_missing' : 'topic_denied');
  const { maxMessageBytes = Number.POSITIVE_INFINITY } = target;
  if (letter.kind === 'line')
    return verdictOnLine(letter, { withCopies, maxMessageBytes, decoder, headersOf });
  const record = recordOf(letter);
  if (record === undefined) return keep('not_ours');
  if (!(await fits(record, maxMessageBytes, codec))) return keep('too_large');
  return { kind: 'send', records: [record] };
}

function recordOf({ headers, value, receivedAtMs, body }: Letter): RawRecord | undefined {
  const { zipcode = '', key = zipcode } = headers;
  if (key === '' || receivedAtMs === undefined) return undefined;
  const own = headerList(body).flatMap(([name, bytes]): Header[] =>
    name.startsWith(RECORD_HEADER) ? [[name.slice(RECORD_HEADER.length), bytes]] : [],
  );
  return { timestampMs: receivedAtMs, body: encodeBody(value, own, Buffer.from(key)) };
}

/** Kafka's limit is for the batch as it is sent, which is compressed. */
async function fits({ timestampMs, body }: RawRecord, maxBytes: number, codec: Codec): Promise<boolean> {
  if (HEADER_BYTES + RECORD_OVERHEAD + body.length <= maxBytes) return true;
  const writer = new RecordBatchWriter(HEADER_BYTES + body.length);
  writer.appendRaw(timestampMs, body);
  return (await writer.seal(codec)).bytes.length <= maxBytes;
}

type LineOptions = Omit<VerdictOptions, 'codec'> & { readonly maxMessageBytes: number };

async function verdictOnLine(letter: Letter, options: LineOptions): Promise<Verdict> {
  const { headers, value, reason, receivedAtMs } = letter;
  if (headers.plain !== undefined) return verdictOnPlain(letter, options);
  const { withCopies, maxMessageBytes, decoder = STRICT, headersOf } = options;
  const message = decoder.decode(value, 0, value.length);
  if (message.type === 'refused') {
    return hasHiddenToken(value) ? keep('token_hidden') : keep('still_refused', message.message);
  }
  if (message.type !== 'metrics') return keep('no_reading');
  if (hasHiddenToken(value)) return keep('token_hidden');
  const { connection_id: connectionId = '', device_id: deviceId, tags, city = '', zipcode = '' } = headers;
  // A letter with a key says that the device had identified, although it gave no zipcode or no city.
  const { key = city === '' ? '' : zipcode, remote_address: remoteAddress = '' } = headers;
  if (connectionId === '' || key === '' || receivedAtMs === undefined || !isTags(tags))
    return keep('no_identity');
  if (!withCopies && isCopy(reason, message)) return keep('copy');
  const recordHeaders = headersOf?.({ connectionId: recordIds(letter), remoteAddress, deviceId });
  const frame = new RecordFrame({
    connectionId,
    zipcode: zipcode === '' ? undefined : zipcode,
    city: city === '' ? undefined : city,
    deviceId,
    tags,
    key: Buffer.from(key),
    headers: recordHeaders,
  });
  const maxBytes = maxMessageBytes - USUAL_FRAME_BYTES - frame.excessBytes;
  if (message.readings.some((text) => Buffer.byteLength(text) > maxBytes)) return keep('too_large');
  const traceparent = message.traceparent === undefined ? undefined : Buffer.from(message.traceparent);
  const readings = message.readings.map((text) => {
    const bytes = Buffer.from(recordTail(message.seq, text));
    return { bytes, start: 0, end: bytes.length, whitespace: 0, receivedAtMs, traceparent };
  });
  return sendOf(frame, readings);
}

/** A line of TCP_LINES_PORT, which becomes a record in the form that the settings had when it was refused. */
async function verdictOnPlain(letter: Letter, { maxMessageBytes, headersOf }: LineOptions): Promise<Verdict> {
  const { headers, value, receivedAtMs } = letter;
  const scan = new PlainScan({ key: null, topic: null, allowsLf: true });
  if (hasHiddenToken(value)) return keep('token_hidden');
  if (!scan.scan(value, 0, value.length))
    return keep('still_refused', scan.problem(value, 0, value.length).message);
  const { connection_id: connectionId = '', key = '', remote_address: remoteAddress = '' } = headers;
  if (connectionId === '' || key === '' || receivedAtMs === undefined) return keep('no_identity');
  const recordHeaders = headersOf?.({ connectionId: recordIds(letter), remoteAddress });
  const frame = linesFrame(
    { connectionId, key: Buffer.from(key), headers: recordHeaders },
    headers.plain === 'wrapped' ? { remoteAddress } : undefined,
  );
  const { start, end } = scan;
  if (end - start > maxMessageBytes - USUAL_FRAME_BYTES - frame.excessBytes) return keep('too_large');
  return sendOf(frame, [{ bytes: value, start, end, whitespace: 0, receivedAtMs, traceparent: undefined }]);
}

/** The same at each look at the letter, and no connection's: its records have such ids. */
function recordIds({ body }: Letter): string {
  return createHash('sha256').update(body).digest('hex').slice(0, 32);
}

async function sendOf(frame: RecordFrame, readings: readonly ReadingToWrite[]): Promise<Verdict> {
  const writer = new RecordBatchWriter(HEADER_BYTES);
  for (const reading of readings) writer.append(frame, reading);
  const { bytes } = await writer.seal(UNCOMPRESSED);
  return { kind: 'send', records: await unpack(bytes) };
}

/** Whoever writes letters writes their tags, too. */
function isTags(text: string | undefined): boolean {
  if (text === undefined) return true;
  const bytes = Buffer.from(`${text}\n`);
  if (skipValue(bytes, 0) !== bytes.length - 1) return false;
  const decoded = decodeTags(bytes, 0);
  return decoded.ok && decoded.tags.text === text;
}

/**
 * A device that hears `queue_full` sends the message again. A line that is valid was refused as `invalid_message` if its
 * seq did not rise: then a message with that seq had been accepted.
 */
function isCopy(reason: string, { seq }: Metrics): boolean {
  return reason === 'queue_full' || (reason === 'invalid_message' && seq !== undefined);
}

function keep(why: NotSent, detail?: string): Kept {
  return { kind: 'keep', why, ...(detail !== undefined && { detail }) };
}
