// Batches on disk whose devices are not told `stored` yet, because Kafka refuses one of their records: a device hears
// of a refused record before any `stored` that passes it (docs/protocol.md). Off most of the time, and then devices
// are told as soon as the disk has their records. It never defers for longer than MAX_MS.

/** The search for a refused record takes about twenty round trips. */
const MAX_MS = 5_000;
const MAX_BATCHES = 10_000;

export interface Confirmable {
  readonly count: number;
  /** Lets those go on that wait for the records to be durable. */
  release(): void;
  /** The same, and tells the devices. */
  settle(): void;
}

export class DeferredConfirmations {
  #entries: { readonly batch: Confirmable; readonly end: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** From now on batches wait for passed(). */
  begin(): void {
    this.#timer ??= setTimeout(() => this.end(), MAX_MS).unref();
  }

  /** The batches are on disk. @param end the spool's offset after the last of them */
  durable(batches: readonly Confirmable[], end: number): void {
    if (this.#timer === undefined) {
      for (const batch of batches) batch.settle();
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

  /** Kafka has taken or refused everything below this offset. */
  passed(offset: number): void {
    for (let next = this.#entries[0]; next !== undefined && next.end <= offset; next = this.#entries[0]) {
      this.#entries.shift();
      next.batch.settle();
    }
  }

  /** Tells all that wait, and defers no longer. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { batch } of this.#entries.splice(0)) batch.settle();
  }
}
