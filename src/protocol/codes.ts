// The closed table of reply codes a device can be given, with what each means and whether the connection
// survives it. The docs are generated from this table; nothing else may invent a code.

/** How a refused line ends: `keep` leaves the connection open, `close` ends it after the reply (protocol: fatal). */
export type CodeEffect = 'keep' | 'close';

interface CodeEntry {
  readonly effect: CodeEffect;
  readonly meaning: string;
}

export const CODES = {
  invalid_json: { effect: 'keep', meaning: 'the line is not one JSON object' },
  invalid_utf8: { effect: 'keep', meaning: 'the line holds bytes that are not UTF-8' },
  invalid_message: {
    effect: 'keep',
    meaning: 'the line is JSON but not a message of the protocol; the text names the field',
  },
  already_identified: { effect: 'keep', meaning: 'a second identify on one connection' },
  record_too_large: { effect: 'keep', meaning: 'a reading is larger than a Kafka record may be' },
  queue_full: { effect: 'keep', meaning: 'the job queue is full and TCP_JOB_QUEUE_FULL is drop' },
  identify_timeout: { effect: 'close', meaning: 'no identify within TCP_IDENTIFY_TIMEOUT' },
  not_identified: { effect: 'close', meaning: 'the first line was not an identify' },
  unauthorized: { effect: 'close', meaning: 'the token is missing or not known' },
  line_too_long: { effect: 'close', meaning: 'a line is longer than TCP_MAX_LINE_BYTES' },
  line_timeout: { effect: 'close', meaning: 'a line was begun and not ended within TCP_LINE_TIMEOUT' },
  inactive: { effect: 'close', meaning: 'nothing was received for TCP_INACTIVITY_TIMEOUT' },
  server_full: {
    effect: 'close',
    meaning: 'as many connections as TCP_MAX_CONNECTIONS or its cap per address allow',
  },
  replaced: { effect: 'close', meaning: 'the same device_id identified on a newer connection' },
  slow_reader: { effect: 'close', meaning: 'the device does not read its replies' },
} as const satisfies Record<string, CodeEntry>;

export type Code = keyof typeof CODES;

export const CODE_NAMES = Object.keys(CODES) as Code[];

/** True where the reply is the last thing the connection hears. */
export function isFatal(code: Code): boolean {
  return CODES[code].effect === 'close';
}
