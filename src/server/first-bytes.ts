// The first bytes of a connection, until they tell whether a device speaks there or another protocol. They may come one
// by one.
import {
  FIRST_BYTES,
  type ForeignProtocol,
  foreignProtocol,
  isRequestLine,
} from '../protocol/foreign-protocol.ts';
import { NO_BYTES } from './chunk-framer.ts';

const OPEN_BRACE = 0x7b;
/** A request line may be long, but its first bytes show that it is one. */
const REQUEST_BYTES = 2048;

export class FirstBytes {
  #held: Uint8Array = NO_BYTES;

  /** Whether a line before identify begins an HTTP request. */
  static isRequest(bytes: Uint8Array, start: number, end: number): boolean {
    if (end === start || bytes[start] === OPEN_BRACE) return false;
    return isRequestLine(bytes.subarray(start, Math.min(end, start + REQUEST_BYTES)));
  }

  /** All bytes while they do not decide. At most FIRST_BYTES. */
  get held(): Uint8Array {
    return this.#held;
  }

  /** @returns undefined if no other protocol begins like this; the chunk is held if it is undecided */
  judge(chunk: Uint8Array): ForeignProtocol | 'undecided' | undefined {
    if (this.#held.length === 0 && chunk[0] === OPEN_BRACE) return undefined;
    const bytes = Buffer.concat([this.#held, chunk.subarray(0, FIRST_BYTES)]);
    const protocol = foreignProtocol(bytes);
    if (protocol === 'undecided') this.#held = bytes;
    return protocol;
  }
}
