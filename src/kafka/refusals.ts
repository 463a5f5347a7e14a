// A head that Kafka refuses as it is: its producer's sequence is not known any more, or a record of it will never be
// taken. Either way the partition goes on under a new producer id.
import type { Batch } from './batch.ts';
import type { BufferBudget } from './buffer-budget.ts';
import type { Codec } from './compression.ts';
import type { ReadyBatch } from './outgoing.ts';
import type { PartitionQueue } from './partition-queue.ts';
import { halve, onlyRecord, type RefusedRecord } from './poison.ts';
import type { Producer } from './sender.ts';

export interface RefusalEvents {
  /** The head is in order again, or in parts. */
  ready(queue: PartitionQueue): void;
  /** It is to be tried again later. */
  failed(queue: PartitionQueue, reason: string): void;
  /** The head was this record alone, and is settled with it. */
  refused(queue: PartitionQueue, record: RefusedRecord | undefined, reason: string): Promise<void>;
  /** The disk's batches have a new sequence from this offset on. */
  reassigned(queue: PartitionQueue, fromOffset: number): Promise<void>;
}

export class Refusals {
  readonly #producer: Producer;
  readonly #idempotent: () => boolean;
  readonly #codec: Codec;
  readonly #budget: BufferBudget;
  readonly #events: RefusalEvents;
  readonly #warn: (queue: PartitionQueue, fields: object, message: string) => void;

  constructor(deps: {
    producer: Producer;
    /** There is a producer id to renew. */
    idempotent: () => boolean;
    codec: Codec;
    budget: BufferBudget;
    events: RefusalEvents;
    warn: (queue: PartitionQueue, fields: object, message: string) => void;
  }) {
    this.#producer = deps.producer;
    this.#idempotent = deps.idempotent;
    this.#codec = deps.codec;
    this.#budget = deps.budget;
    this.#events = deps.events;
    this.#warn = deps.warn;
  }

  async renewProducer(queue: PartitionQueue, reason: string): Promise<void> {
    try {
      const identity = await this.#producer.initProducerId();
      this.#warn(
        queue,
        { reason },
        'Kafka lost track of the producer sequence, going on under a new producer id; a batch may be there twice',
      );
      queue.restart(identity);
      unsendBehind(queue);
      for (const batch of [queue.drained, ...queue.parts, ...queue.batches])
        if (batch) batch.producer = undefined;
      if (queue.drained?.offset !== undefined) await this.#events.reassigned(queue, queue.drained.offset);
    } catch {
      // The next try meets the same refusal and asks again.
    }
    this.#events.failed(queue, reason);
  }

  /** A record of the head is refused for good: it is found by halving, and settled alone. */
  async isolate(queue: PartitionQueue, reason: string): Promise<void> {
    const { head } = queue;
    if (head?.bytes === undefined) return;
    try {
      // The refused sequence leaves a gap, and the broker may have seen the batch's before: start anew.
      if (this.#idempotent()) queue.restart(await this.#producer.initProducerId());
      queue.renewed = queue.spooling;
      for (const part of queue.parts) part.producer = undefined;
      unsendBehind(queue);
      if (head.count === 1) {
        await this.#events.refused(queue, await onlyRecord(head.bytes), reason);
        return;
      }
      this.#split(queue, await halve(head.bytes, head.openedAtMs, this.#codec));
      queue.inFlight = false;
      this.#warn(queue, { records: head.count, reason }, 'Kafka refuses a record of a batch, looking for it');
      this.#events.ready(queue);
    } catch (error) {
      const why = `${reason}, and the batch could not be taken apart: ${(error as Error).message}`;
      this.#events.failed(queue, why);
    }
  }

  #split(queue: PartitionQueue, halves: readonly ReadyBatch[]): void {
    const before: Batch | undefined = queue.spooling ? undefined : queue.batches[0];
    queue.replaceHead(halves);
    if (before === undefined) return;
    this.#budget.release(before.heldBytes);
    for (const half of queue.batches.slice(0, halves.length)) this.#budget.take(half.heldBytes);
  }
}

/** Behind a head from memory that was refused nothing can have been taken, whatever was sent. */
function unsendBehind({ batches, spooling }: PartitionQueue): void {
  if (!spooling) for (const batch of batches.slice(1)) batch.unsend();
}
