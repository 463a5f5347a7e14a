// The replies to a device, as lines to write. The codes are in codes.ts.
import type { ClosingCode, Code } from './codes.ts';

export const ALIVE = '{"type":"ack","status":"alive"}\n';

export function identified(connectionId: string): string {
  return `{"type":"ack","status":"identified","connection_id":"${connectionId}"}\n`;
}

export function stored(seq: number): string {
  return `{"type":"ack","status":"stored","seq":${seq}}\n`;
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
