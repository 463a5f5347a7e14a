// One partition's producer identity and the sequence number of its next record. Kafka recognises a repeated batch by
// both (KIP-98), so a sequence is never given to other bytes while Kafka may have the first ones.
import { nextSequence, type ProducerIdentity, type ProducerStamp } from '../batches/record-batch.ts';

/** A broker that forgot the producer would accept batches out of order; a broker that acked it lately has not. */
const FRESH_MS = 60_000;

export class ProducerSequence {
  #identity: ProducerIdentity | undefined;
  #next = 0;
  #acknowledgedAtMs = Number.NEGATIVE_INFINITY;

  /** Undefined before the first take() or restart(). */
  get identity(): ProducerIdentity | undefined {
    return this.#identity;
  }

  /** Kafka has acknowledged a batch of this identity within FRESH_MS. */
  get isFresh(): boolean {
    return this.#identity !== undefined && performance.now() - this.#acknowledgedAtMs < FRESH_MS;
  }

  /** The stamp for the next `count` records. @param identity used if the partition has none yet */
  take(identity: ProducerIdentity, count: number): ProducerStamp {
    this.#identity ??= identity;
    const { producerId, producerEpoch } = this.#identity;
    const stamp = { producerId, producerEpoch, baseSequence: this.#next };
    this.#next = nextSequence(this.#next, count);
    return stamp;
  }

  /** Continues at `sequence` under `identity`. */
  restart(identity: ProducerIdentity, sequence = 0): void {
    if (identity.producerId !== this.#identity?.producerId) this.#acknowledgedAtMs = Number.NEGATIVE_INFINITY;
    this.#identity = identity;
    this.#next = sequence;
  }

  /** Kafka refused these bytes for good: the next records use their sequence again. */
  giveBack({ producerId, producerEpoch, baseSequence }: ProducerStamp): void {
    this.restart({ producerId, producerEpoch }, baseSequence);
  }

  acknowledged(): void {
    this.#acknowledgedAtMs = performance.now();
  }
}
