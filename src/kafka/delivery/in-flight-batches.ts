// A partition's batches in flight and the order of their outcomes. A failure counts once the outcomes of all batches
// behind it are known. Those behind a failed batch count as not sent and go out again after it with the same bytes:
// an idempotent broker refused them because of their sequence, or recognises them.
import type { Outcome } from './outcome.ts';
import type { ProducerBatch } from './producer-batch.ts';

export interface Settled {
  readonly batch: ProducerBatch;
  readonly outcome: Outcome;
  /** Monotonic milliseconds. */
  readonly sentAtMs: number;
}

interface Entry {
  readonly batch: ProducerBatch;
  readonly sentAtMs: number;
  /** Undefined until the broker has answered or the request has failed. */
  outcome: Outcome | undefined;
}

export class InFlightBatches {
  #entries: Entry[] = [];
  #leader = -1;

  get size(): number {
    return this.#entries.length;
  }

  /** Whether another batch may be sent to this leader behind those in flight. */
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
      settled.push({ batch: head.batch, outcome: head.outcome, sentAtMs: head.sentAtMs });
      if (isStored) this.#entries.shift();
      else this.#entries = [];
    }
  }
}
