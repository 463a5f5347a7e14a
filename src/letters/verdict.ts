// Decides whether a dead letter can be sent again: a refused record as it was, a refused line as the records that it
// would have become. It asks nobody and changes nothing.

import { MAX_FRAME_BYTES } from '../kafka/batches/batcher.ts';
import type { Codec } from '../kafka/batches/compression.ts';
import { HEADER_BYTES, RecordBatchWriter } from '../kafka/batches/record-batch.ts';
import { encodeBody } from '../kafka/batches/record-body.ts';
import type { RawRecord } from '../kafka/batches/split-batch.ts';
import { hasHiddenToken } from '../protocol/hidden-tokens.ts';
import { decodeLine, type Metrics } from '../protocol/messages.ts';
import { RecordFrame, recordTail } from '../protocol/record-frame.ts';
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

/** False for names that are none, and for Kafka's own topics: whoever may write letters names the topic. */
export function isForTopic({ topic }: Pick<Letter, 'topic'>): boolean {
  return TOPIC_NAME.test(topic);
}

export async function verdictOn(
  letter: Letter,
  target: TargetTopic,
  { withCopies, codec }: { readonly withCopies: boolean; readonly codec: Codec },
): Promise<Verdict> {
  if (!isForTopic(letter)) return keep('not_ours');
  if (target.state !== 'ready') return keep(target.state === 'missing' ? 'topic_missing' : 'topic_denied');
  const { maxMessageBytes = Number.POSITIVE_INFINITY } = target;
  if (letter.kind === 'line') return verdictOnLine(letter, { withCopies, maxMessageBytes });
  const record = recordOf(letter);
  if (record === undefined) return keep('not_ours');
  if (!(await fits(record, maxMessageBytes, codec))) return keep('too_large');
  return { kind: 'send', records: [record] };
}

function recordOf({ headers, value, receivedAtMs }: Letter): RawRecord | undefined {
  const { zipcode = '' } = headers;
  if (zipcode === '' || receivedAtMs === undefined) return undefined;
  return { timestampMs: receivedAtMs, body: encodeBody(value, {}, Buffer.from(zipcode)) };
}

/** Kafka's limit is for the batch as it is sent, which is compressed. */
async function fits({ timestampMs, body }: RawRecord, maxBytes: number, codec: Codec): Promise<boolean> {
  if (HEADER_BYTES + RECORD_OVERHEAD + body.length <= maxBytes) return true;
  const writer = new RecordBatchWriter(HEADER_BYTES + body.length);
  writer.appendRaw(timestampMs, body);
  return (await writer.seal(codec)).bytes.length <= maxBytes;
}

function verdictOnLine(
  { headers, value, reason, receivedAtMs }: Letter,
  { withCopies, maxMessageBytes }: { withCopies: boolean; maxMessageBytes: number },
): Verdict {
  const message = decodeLine(value, 0, value.length);
  if (message.type === 'refused') {
    return hasHiddenToken(value) ? keep('token_hidden') : keep('still_refused', message.message);
  }
  if (message.type !== 'metrics') return keep('no_reading');
  if (hasHiddenToken(value)) return keep('token_hidden');
  const { connection_id: connectionId = '', zipcode = '', city = '', device_id: deviceId } = headers;
  if (connectionId === '' || zipcode === '' || city === '' || receivedAtMs === undefined)
    return keep('no_identity');
  if (!withCopies && isCopy(reason, message)) return keep('copy');
  if (message.readings.some((text) => Buffer.byteLength(text) > maxMessageBytes - MAX_FRAME_BYTES))
    return keep('too_large');
  const frame = new RecordFrame({ connectionId, zipcode, city, deviceId });
  const records = message.readings.map((reading) => ({
    timestampMs: receivedAtMs,
    body: encodeBody(
      Buffer.concat([frame.head(receivedAtMs), Buffer.from(recordTail(message.seq, reading))]),
      {},
      frame.key,
    ),
  }));
  return { kind: 'send', records };
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
