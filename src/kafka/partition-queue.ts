// One partition's batches in order: at most one in flight, the rest waiting. It also owns the partition's
// producer sequence, which is given to a batch once and never to other bytes.
import type { Batch } from './batch.ts';
import { NO_PRODUCER, stamp } from './record-batch.ts';

const MAX_SEQUENCE = 2 ** 31;

export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export class PartitionQueue {
  readonly partition: number;
  /** Monotonic milliseconds before which the head is not tried again. */
  notBeforeMs = 0;
  /** Failures of the head in a row. */
  failures = 0;
  inFlight = false;

  readonly #batches: Batch[] = [];
  #identity: ProducerIdentity | undefined;
  #nextSequence = 0;

  constructor(partition: number) {
    this.partition = partition;
  }

  get head(): Batch | undefined {
    return this.#batches[0];
  }

  get length(): number {
    return this.#batches.length;
  }

  get batches(): readonly Batch[] {
    return this.#batches;
  }

  get records(): number {
    return this.#batches.reduce((sum, batch) => sum + batch.count, 0);
  }

  push(batch: Batch): void {
    this.#batches.push(batch);
  }

  /** Removes the head, which is settled. */
  shift(): Batch | undefined {
    this.failures = 0;
    this.notBeforeMs = 0;
    return this.#batches.shift();
  }

  /** Takes all batches out, for the partitioning anew of what was never sent. */
  takeAll(): Batch[] {
    return this.#batches.splice(0);
  }

  /** Gives the head its sequence where it has none yet. `identity` undefined = not idempotent. */
  stampHead(identity: ProducerIdentity | undefined): void {
    const batch = this.head;
    if (batch?.bytes === undefined || batch.producer !== undefined) return;
    if (identity === undefined) {
      batch.producer = NO_PRODUCER;
    } else {
      this.#identity ??= identity;
      batch.producer = { ...this.#identity, baseSequence: this.#nextSequence };
      this.#nextSequence = (this.#nextSequence + batch.count) % MAX_SEQUENCE;
    }
    stamp(batch.bytes, batch.producer);
  }

  /** The broker has lost track of our sequence: the head, and all after it, start anew under another id. */
  renewProducer(identity: ProducerIdentity): void {
    this.#identity = identity;
    this.#nextSequence = 0;
    for (const batch of this.#batches) batch.producer = undefined;
  }

  /** The identity its last batch went out with. */
  get identity(): ProducerIdentity | undefined {
    return this.#identity;
  }
}
