// The partitions that get more records than Kafka takes. Readings for such a partition wait, so that its queue of batches
// stays short. Delivery says which partitions they are, the queue keeps their lines.
import type { Job } from './job.ts';

/** The length of the shortest line that is a reading. A keepalive is shorter: it makes no record, so it never waits. */
const MIN_READING_BYTES = '{"type":"metrics","data":"a="}'.length;

export class Congestion {
  /** By partition: called once it is not congested any more. */
  readonly #waiters = new Map<number, (() => void)[]>();

  get exists(): boolean {
    return this.#waiters.size > 0;
  }

  includes(partition: number): boolean {
    return this.#waiters.has(partition);
  }

  /** True if the job has to wait: it may be a reading, and its partition is congested. */
  holds({ session, start, end }: Job): boolean {
    const isReading = end - start >= MIN_READING_BYTES || session.plain !== undefined;
    return isReading && this.includes(session.partition);
  }

  set(partition: number, isCongested: boolean): void {
    if (isCongested === this.includes(partition)) return;
    if (isCongested) {
      this.#waiters.set(partition, []);
      return;
    }
    const waiters = this.#waiters.get(partition) ?? [];
    this.#waiters.delete(partition);
    for (const waiter of waiters) waiter();
  }

  /** Calls back once when the partition is not congested any more, or at once if it is not. */
  whenOver(partition: number, callback: () => void): void {
    const waiters = this.#waiters.get(partition);
    if (waiters === undefined) callback();
    else waiters.push(callback);
  }
}
