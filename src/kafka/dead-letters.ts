// The dead letters: lines that were refused and records that Kafka refused, for people to look at. They have a
// small buffer and a rate of their own and are dropped, counted, beyond either: never in the way of good records.
import type { Batcher } from './batcher.ts';
import { encodeBody } from './record-batch.ts';

export interface DeadLetter {
  /** The line's bytes, or the record's value. */
  readonly value: Uint8Array;
  readonly reason: string;
  readonly connectionId: string;
  /** Empty before the device identified. */
  readonly zipcode: string;
  readonly remoteAddress: string;
  readonly receivedAtMs: number;
}

export interface DeadLetterOptions {
  /** Refused lines a second at most, on average and after a burst of as many. */
  readonly linesPerSecond: number;
}

export const DEAD_LETTER_DEFAULTS: DeadLetterOptions = { linesPerSecond: 100 };

export class DeadLetters {
  /** Handed to Kafka. */
  sent = 0;
  /** Not kept: over the rate, or the buffer full. */
  dropped = 0;

  readonly #batcher: Batcher;
  readonly #options: DeadLetterOptions;
  #tokens: number;
  #refilledAtMs = performance.now();
  #next = 0;

  constructor(batcher: Batcher, options: DeadLetterOptions = DEAD_LETTER_DEFAULTS) {
    this.#batcher = batcher;
    this.#options = options;
    this.#tokens = options.linesPerSecond;
  }

  /** A line that was refused at the socket. */
  line(letter: DeadLetter): void {
    if (this.#takeToken()) this.record(letter);
    else this.dropped++;
  }

  /** A record that had been accepted: not held back by the rate. */
  record(letter: DeadLetter): void {
    if (!this.#batcher.hasRoom()) {
      this.dropped++;
      return;
    }
    this.sent++;
    const body = encodeBody(letter.value, {
      reason: letter.reason,
      connection_id: letter.connectionId,
      zipcode: letter.zipcode,
      remote_address: letter.remoteAddress,
      received_at: new Date(letter.receivedAtMs).toISOString(),
    });
    this.#batcher.appendRaw(this.#next++ % this.#batcher.partitions, letter.receivedAtMs, body);
  }

  #takeToken(): boolean {
    const now = performance.now();
    const { linesPerSecond } = this.#options;
    this.#tokens = Math.min(
      linesPerSecond,
      this.#tokens + ((now - this.#refilledAtMs) / 1000) * linesPerSecond,
    );
    this.#refilledAtMs = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
