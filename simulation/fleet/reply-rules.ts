// The rules of docs/protocol.md for a single reply, whatever came before it.

export interface Reply {
  readonly status?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly seq?: unknown;
  readonly connection_id?: unknown;
  readonly stored_seq?: unknown;
  readonly reconnect_after_ms?: unknown;
}

/** Errors after which the connection goes on, and which a correct message can get. */
const OF_MESSAGES: ReadonlySet<string> = new Set(['queue_full', 'record_too_large', 'invalid_message']);
/** Errors without `seq` that end a connection although the device did nothing wrong, or was slow. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  'identify_timeout',
  'line_timeout',
  'overloaded',
  'inactive',
  'server_full',
  'replaced',
  'slow_reader',
]);
/** Ends the connection of a device that goes on to send lines that are refused. */
export const TOO_MANY_ERRORS = 'too_many_errors';
/** Of a gateway with up to 1,000 devices. */
const RECONNECT_AFTER_MS: Readonly<Record<string, { readonly min: number; readonly max: number }>> = {
  shutdown: { min: 500, max: 5_000 },
  draining: { min: 500, max: 5_000 },
  max_age: { min: 500, max: 5_000 },
  replaced: { min: 60_000, max: 90_000 },
};
/** With this text Kafka has refused the record of a correct message. */
const BY_KAFKA = 'Kafka refused the record';

/** Whether the error may end the connection of a device that did nothing wrong, or was slow. */
export function endsConnection(code: string): boolean {
  return OF_CONNECTIONS.has(code);
}

/** Whether Kafka has refused the record of a correct message. */
export function isByKafka(words: unknown): boolean {
  return String(words).startsWith(BY_KAFKA);
}

/** Whether a correct message can be refused so. */
export function mayRefuse(code: string, words: unknown): boolean {
  return OF_MESSAGES.has(code) && (code !== 'invalid_message' || isByKafka(words));
}

/** Whether a device can be told to stay away for so long. */
export function isRightWait(code: string, afterMs: unknown): boolean {
  const wait = RECONNECT_AFTER_MS[code];
  return wait === undefined || (Number(afterMs) >= wait.min && Number(afterMs) <= wait.max);
}
