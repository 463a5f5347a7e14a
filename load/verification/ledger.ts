// What one device sent and what it was told, in bounded memory: the word that the topic is held against.
import { Bitmap } from './bitmap.ts';

/** Message numbers from `from` to before `end`. */
export interface Range {
  readonly from: number;
  readonly end: number;
}

/** A device's ledger on its way to the verifier. Everything is counted in messages. */
export interface DeviceAccount {
  readonly device: number;
  readonly sent: number;
  /** A bitmap of those refused by their `seq`. */
  readonly refused: Uint8Array;
  /** Refused without a `seq`: nobody knows which. */
  readonly refusedUnknown: number;
  /** Sent with `seq` on connections that broke before their answer: a device would send these again. */
  readonly unanswered: readonly Range[];
}

/** Breaks of one device that are told apart; beyond, the last range grows over what was confirmed in between. */
const MAX_RANGES = 10_000;

export class DeviceLedger {
  /** The number of the next message. */
  next = 0;
  refusedUnknown = 0;
  readonly #refused = new Bitmap();
  readonly #unanswered: Range[] = [];

  /** False where it was refused before. */
  refuse(message: number): boolean {
    return this.#refused.add(message);
  }

  /** The connection broke, and these had no answer; refused ones among them are not counted. */
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
