// The first bytes of a connection, until they tell whether a device speaks there or another protocol. They may come one
// by one.
import { type ForeignProtocol, foreignProtocol, isRequestLine } from '../protocol/foreign-protocol.ts';

const OPEN_BRACE = 0x7b;
/** A request line may be long, but its first bytes show that it is one. */
const REQUEST_BYTES = 2048;

/**
 * @param bytes all that came so far
 * @returns undefined if no other protocol begins like this
 */
export function judgeFirstBytes(bytes: Uint8Array): ForeignProtocol | 'undecided' | undefined {
  return bytes[0] === OPEN_BRACE ? undefined : foreignProtocol(bytes);
}

/** Whether a line before identify begins an HTTP request. */
export function beginsRequest(bytes: Uint8Array, start: number, end: number): boolean {
  if (end === start || bytes[start] === OPEN_BRACE) return false;
  return isRequestLine(bytes.subarray(start, Math.min(end, start + REQUEST_BYTES)));
}
