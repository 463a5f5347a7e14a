// Which messages one device sent and how each was answered, in bounded memory. The verifier compares the topic with it.
import { Bitmap } from './bitmap.ts';

/** Message numbers from `from` to before `end`. */
export interface Range {
  readonly from: number;
  readonly end: number;
}

/** A ledger, as the verifier gets it. All counts are messages. */
export interface DeviceAccount {
  readonly device: number;
  readonly sent: number;
  /** A bitmap of the messages that were refused by their `seq`. */
  readonly refused: Uint8Array;
  /** Refused without a `seq`: it is not known which. */
  readonly refusedUnknown: number;
  /** Sent with `seq`, but the connection broke before the reply. A real device would send them again. */
  readonly unanswered: readonly Range[];
}

/** More ranges are merged into the last one, with the confirmed messages in between. */
const MAX_RANGES = 10_000;

export class DeviceLedger {
  /** The number of the next message. */
  next = 0;
  refusedUnknown = 0;
  readonly #refused = new Bitmap();
  readonly #unanswered: Range[] = [];

  /** False if the message was refused before. */
  refuse(message: number): boolean {
    return this.#refused.add(message);
  }

  /** The connection broke before the replies from `from` on. Returns how many of these messages were not refused. */
  leaveUnanswered(from: number): number {
    if (from >= this.next) return 0;
    const last = this.#unanswered.at(-1);
    if (this.#unanswered.length < MAX_RANGES || last === undefined)
      this.#unanswered.push({ from, end: this.next });
    else this.#unanswered[this.#unanswered.length - 1] = { from: last.from, end: this.next };
    let count = 0;
    for (let message = from; message < this.next; message++) if (!this.#refused.has(message)) count++;
    return count;
  }

  account(device: number): DeviceAccount {
    return {
      device,
      sent: this.next,
      refused: this.#refused.bytes,
      refusedUnknown: this.refusedUnknown,
      unanswered: this.#unanswered,
    };
  }
}
