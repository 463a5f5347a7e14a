// A dead letter as it was found, in the topic or on disk. It reads the letter's headers, which anybody may have written,
// and changes nothing.
import { recordHeaders, recordParts } from '../kafka/batches/record-body.ts';

export type LetterPlace =
  | { readonly kind: 'topic'; readonly topic: string; readonly partition: number; readonly offset: number }
  /** `offset` counts in that log only. */
  | { readonly kind: 'disk'; readonly log: string; readonly offset: number };

export interface Letter {
  readonly place: LetterPlace;
  /** By the header `received_at`, or else the record's own time, or else 0. Milliseconds since 1970. */
  readonly timeMs: number;
  /** Undefined if the header is missing or no time: then the record that it would become is not known. */
  readonly receivedAtMs: number | undefined;
  readonly reason: string;
  /** A line that the gateway refused, or a record that Kafka refused. */
  readonly kind: 'line' | 'record';
  /** The topic that it was for. */
  readonly topic: string;
  /** The letter names its topic. If not, it was written by a version of Sluice that did not. */
  readonly namesTopic: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: Buffer;
  /** The encoded record, by which a letter is recognised. */
  readonly body: Uint8Array;
}

export interface FoundRecord {
  readonly place: LetterPlace;
  readonly timestampMs: number;
  readonly body: Uint8Array;
}

/** Kafka's names of errors are in capitals, reply codes are not. `unknown error code 7` is Kafka's, too. */
const LINE_REASON = /^[a-z_]+$/;

/** Whoever writes letters gives them any time. */
const MAX_DATE_MS = 8.64e15;

/** @param metricsTopic of letters that do not name one */
export function readLetter({ place, timestampMs, body }: FoundRecord, metricsTopic: string): Letter {
  const headers = headersOf(body);
  const reason = headers.reason ?? '';
  const receivedAtMs = timeOf(headers.received_at);
  return {
    place,
    timeMs: receivedAtMs ?? (Math.abs(timestampMs) <= MAX_DATE_MS ? timestampMs : 0),
    receivedAtMs,
    reason,
    kind: LINE_REASON.test(reason) ? 'line' : 'record',
    topic: headers.topic ?? metricsTopic,
    namesTopic: headers.topic !== undefined,
    headers,
    value: bytesOf(body),
    body,
  };
}

function headersOf(body: Uint8Array): Record<string, string> {
  try {
    return recordHeaders(body);
  } catch {
    return {};
  }
}

function bytesOf(body: Uint8Array): Buffer {
  try {
    return recordParts(body).value;
  } catch {
    return Buffer.alloc(0);
  }
}

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function timeOf(text: string | undefined): number | undefined {
  const ms = text !== undefined && ISO.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** For people: `3/17` in the topic, or the log on disk. */
export function placeText({ place }: Pick<Letter, 'place'>): string {
  return place.kind === 'topic' ? `${place.partition}/${place.offset}` : `disk ${place.log} ${place.offset}`;
}
