// Holds back the `stored` of batches on disk while Kafka refuses one of their records: a device must hear of a refused
// record before any `stored` that covers it (docs/protocol.md). Most of the time it is off, and devices are told as
// soon as the disk has their records. It never defers for longer than MAX_MS.
import type { Batch } from '../batches/batch.ts';

/** Long enough for the search for a refused record, about twenty round trips. */
const MAX_MS = 5_000;
const MAX_BATCHES = 10_000;

export class DeferredConfirmations {
  #entries: { readonly batch: Batch; readonly end: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #settle: (batch: Batch) => void;

  /** @param settle tells the devices of a batch */
  constructor(settle: (batch: Batch) => void) {
    this.#settle = settle;
  }

  /** From now on devices are told only when passed() covers their batch. */
  begin(): void {
    this.#timer ??= setTimeout(() => this.end(), MAX_MS).unref();
  }

  /** The batches are on disk. @param end the spool's offset after the last of them */
  durable(batches: readonly Batch[], end: number): void {
    if (this.#timer === undefined) {
      for (const batch of batches) this.#settle(batch);
      return;
    }
    let offset = end - batches.reduce((sum, { count }) => sum + count, 0);
    for (const batch of batches) {
      offset += batch.count;
      batch.release();
      this.#entries.push({ batch, end: offset });
    }
    if (this.#entries.length > MAX_BATCHES) this.end();
  }

  /** Kafka has taken or refused every record below this offset of the spool. */
  passed(offset: number): void {
    for (let next = this.#entries[0]; next !== undefined && next.end <= offset; next = this.#entries[0]) {
      this.#entries.shift();
      this.#settle(next.batch);
    }
  }

  /** Tells all devices that wait, and stops deferring. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { batch } of this.#entries.splice(0)) this.#settle(batch);
  }
}
