// What became of a partition's batches, told in their order although several are in flight. Where one fails, those
// behind it count as not sent, and go out again after it with the same bytes: an idempotent broker has refused them
// for their sequence, or recognises them.
import { kafkaError } from './errors.ts';
import type { Outgoing } from './outgoing.ts';
import type { Landing, PartitionQueue } from './partition-queue.ts';
import type { PartitionAnswer } from './produce-request.ts';

export interface HeadEvents {
  /** The broker's word on the head; with acks 0 there is none. Nothing is in flight behind one it did not take. */
  answered(queue: PartitionQueue, answer: PartitionAnswer | undefined): void;
  /** Nobody knows whether the broker took the head. Nothing is in flight behind it. */
  failed(queue: PartitionQueue, reason: string, overdue: boolean): void;
}

export class Landings {
  readonly #events: HeadEvents;

  constructor(events: HeadEvents) {
    this.#events = events;
  }

  landed(queue: PartitionQueue, batch: Outgoing, landing: Landing): void {
    if (queue.inFlight && batch === queue.head) {
      this.#headLanded(queue, landing);
      return;
    }
    const ahead = queue.ahead.find((one) => one.batch === batch);
    if (ahead === undefined) return;
    ahead.landing = landing;
    if (queue.failedHead !== undefined) this.#headLanded(queue, queue.failedHead);
  }

  #headLanded(queue: PartitionQueue, landing: Landing): void {
    if (isStored(landing)) {
      this.#tell(queue, landing);
      this.#next(queue);
      return;
    }
    queue.failedHead = landing;
    if (queue.ahead.some((one) => one.landing === undefined)) return;
    queue.ahead = [];
    this.#tell(queue, landing);
  }

  /** The head is done: what was sent behind it is the head now. */
  #next(queue: PartitionQueue): void {
    const next = queue.ahead.shift();
    if (next === undefined) return;
    queue.inFlight = true;
    queue.sentAtMs = next.sentAtMs;
    if (next.landing !== undefined) this.#headLanded(queue, next.landing);
  }

  #tell(queue: PartitionQueue, landing: Landing): void {
    if ('reason' in landing) this.#events.failed(queue, landing.reason, landing.overdue);
    else this.#events.answered(queue, landing.answer);
  }
}

function isStored(landing: Landing): boolean {
  return 'answer' in landing && kafkaError(landing.answer?.errorCode ?? 0).outcome === 'stored';
}
