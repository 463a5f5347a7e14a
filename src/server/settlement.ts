// Tells the server once when a connection ends for its device, and once when all of it has settled: no line is left, and
// each message with a seq is stored or refused. For connections with a device_id only: nobody asks about others.

import type { Replies } from './device-replies.ts';
import type { LineInput } from './line-input.ts';

/** The end, and whoever began it. */
export type EndedBy = 'device' | 'gateway';

export interface SettlementParts {
  readonly input: LineInput;
  readonly replies: Replies;
  tellEnded(by: EndedBy): void;
  /** @param storedSeq the highest that is stored, undefined if there was none */
  tellSettled(storedSeq: number | undefined): void;
}

/**
 * Turns of the event loop in which the FIN of a device counts although the gateway has just ended the connection. While a
 * connection is not read nobody sees its FIN, and an end by the gateway reads it again.
 */
const FIN_TURNS = 3;

/** Calls back once a FIN that the kernel has had until now would have been seen. */
export const afterFinTurns = (then: () => void, turns = FIN_TURNS): void =>
  turns === 0 ? then() : void setImmediate(() => afterFinTurns(then, turns - 1));

export class Settlement {
  readonly #parts: SettlementParts;
  /** It has a device_id, and the server knows. */
  #isWatched = false;
  #endedBy: EndedBy | undefined;
  #looksForFin = false;
  #hasBegun = false;
  #isSettled = false;
  /** The highest seq that was stored when a line was dropped. */
  #seqBeforeDrop: number | undefined;

  constructor(parts: SettlementParts) {
    this.#parts = parts;
  }

  /** The server knows the connection's device_id. */
  watch(): void {
    this.#isWatched = true;
    if (this.#endedBy !== undefined) this.#parts.tellEnded(this.#endedBy);
    this.check();
  }

  /** @param hasBegun no further line is taken */
  ended(by: EndedBy, hasBegun: boolean): void {
    this.#hasBegun = hasBegun;
    if (by === 'device') {
      this.#setEnded(by);
    } else if (this.#endedBy === undefined && !this.#looksForFin) {
      this.#looksForFin = true;
      afterFinTurns(() => this.#setEnded('gateway'));
    }
    this.check();
  }

  #setEnded(by: EndedBy): void {
    if (this.#endedBy !== undefined) return;
    this.#endedBy = by;
    if (this.#isWatched) this.#parts.tellEnded(by);
  }

  /**
   * A full queue dropped a line. Its device may not have heard of it, and must not take it for stored because a later
   * message is.
   */
  lineDropped(): void {
    this.#seqBeforeDrop ??= this.#parts.replies.storedSeq;
  }

  /** To be called when a job is done or a seq is stored after the end has begun. */
  check(): void {
    if (!this.#hasBegun || !this.#isWatched || this.#isSettled) return;
    const { input, replies } = this.#parts;
    if (input.pendingJobs > 0 || replies.hasUnsettled) return;
    this.#isSettled = true;
    const seq = this.#seqBeforeDrop ?? replies.storedSeq;
    this.#parts.tellSettled(seq < 0 ? undefined : seq);
  }
}
