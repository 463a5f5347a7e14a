// A partition's batches in flight, and the order in which their outcomes count. A failure counts only when all batches
// behind it have an outcome too. Batches behind a failed one count as not sent: they follow it again with the same
// bytes, because an idempotent broker has refused their sequence or recognises them.

import type { ProducerBatch } from '../batches/producer-batch.ts';
import type { Outcome } from './outcome.ts';

export interface Settled {
  readonly batch: ProducerBatch;
  readonly outcome: Outcome;
  /** Monotonic milliseconds. */
  readonly sentAtMs: number;
  /** Kafka stored a batch behind this one, which it did not store. */
  readonly isOvertaken: boolean;
}

type Entry = Omit<Settled, 'outcome' | 'isOvertaken'> & {
  /** Undefined until the broker has answered or the request has failed. */
  outcome: Outcome | undefined;
};

export class InFlightBatches {
  #entries: Entry[] = [];
  #leader = -1;

  get size(): number {
    return this.#entries.length;
  }

  /** True if another batch may be sent to this leader behind the batches in flight. */
  isOpenTo(leader: number): boolean {
    return leader === this.#leader && this.#entries[0]?.outcome === undefined;
  }

  sent(batch: ProducerBatch, leader: number): void {
    this.#leader = leader;
    this.#entries.push({ batch, sentAtMs: performance.now(), outcome: undefined });
  }

  /** The outcomes that count now, oldest batch first. Nothing is in flight behind a batch that was not stored. */
  settle(batch: ProducerBatch, outcome: Outcome): Settled[] {
    const entry = this.#entries.find((one) => one.batch === batch);
    if (entry === undefined) return [];
    entry.outcome = outcome;
    const settled: Settled[] = [];
    for (;;) {
      const [head] = this.#entries;
      if (head?.outcome === undefined) return settled;
      const isStored = head.outcome.kind === 'stored';
      if (!isStored && this.#entries.some((one) => one.outcome === undefined)) return settled;
      const isOvertaken = !isStored && this.#entries.some((one) => one.outcome?.kind === 'stored');
      settled.push({ batch: head.batch, sentAtMs: head.sentAtMs, outcome: head.outcome, isOvertaken });
      if (isStored) this.#entries.shift();
      else this.#entries = [];
    }
  }
}
