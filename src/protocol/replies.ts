// The replies to a device, as lines to write. The codes are in codes.ts.
import type { ClosingCode, Code } from './codes.ts';

export const ALIVE = '{"type":"ack","status":"alive"}\n';

export function identified(connectionId: string): string {
  return `{"type":"ack","status":"identified","connection_id":"${connectionId}"}\n`;
}

/** The answer to an identify with `resume`. @param storedSeq undefined = not known */
export function resumed(connectionId: string, storedSeq: number | undefined): string {
  return `{"type":"ack","status":"identified","connection_id":"${connectionId}","stored_seq":${storedSeq ?? null}}\n`;
}

export function stored(seq: number): string {
  return `{"type":"ack","status":"stored","seq":${seq}}\n`;
}

/** @param nowMs milliseconds since 1970 */
export function time(nowMs: number): string {
  return `{"type":"ack","status":"time","now":"${new Date(nowMs).toISOString()}"}\n`;
}

/** A field that is ignored, which may be a mistake. @param field as the device wrote it, bounded here */
export function unknownField(field: string, seq: number | undefined): string {
  const name = field.length > 64 ? `${field.slice(0, 61)}...` : field;
  const message = `field '${name.toWellFormed()}' is not known and is ignored`;
  const reply = { type: 'ack', status: 'warning', code: 'unknown_field', message, seq };
  return `${JSON.stringify(reply)}\n`;
}

/** The optional fields of an error reply. */
export interface ErrorFacts {
  /** The seq of the refused message. */
  readonly seq?: number | undefined;
  /** How long the device should stay away. */
  readonly reconnectAfterMs?: number;
}

export function refused(code: Code, message: string, { seq, reconnectAfterMs }: ErrorFacts = {}): string {
  const reply = { type: 'ack', status: 'error', code, message, seq, reconnect_after_ms: reconnectAfterMs };
  return `${JSON.stringify(reply)}\n`;
}

/** @param reconnectAfterMs with the jitter of the caller, so that a fleet does not return all at once */
export function closing(code: ClosingCode, reconnectAfterMs: number): string {
  return `{"type":"ack","status":"closing","code":"${code}","reconnect_after_ms":${reconnectAfterMs}}\n`;
}
