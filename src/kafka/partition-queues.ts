// All partitions' queues and what they amount to together.
import { PartitionQueue } from './partition-queue.ts';

export class PartitionQueues implements Iterable<PartitionQueue> {
  readonly #queues: PartitionQueue[] = [];

  [Symbol.iterator](): Iterator<PartitionQueue> {
    return this.#queues[Symbol.iterator]();
  }

  /** Undefined where nothing was ever delivered to it. */
  at(partition: number): PartitionQueue | undefined {
    return this.#queues[partition];
  }

  get(partition: number): PartitionQueue {
    for (let next = this.#queues.length; next <= partition; next++) {
      this.#queues.push(new PartitionQueue(next));
    }
    return this.#queues[partition] as PartitionQueue;
  }

  /** Those that go through the disk now. */
  get spooling(): number {
    return this.#queues.filter((queue) => queue.spooling).length;
  }

  /** Those of them whose head failed when it was last tried. */
  get failing(): number {
    return this.#queues.filter(({ spooling, failures }) => spooling && failures > 0).length;
  }

  /** Records of split batches that are settled, and that the spool still counts. */
  get settledParts(): number {
    return this.#queues.reduce((sum, { settledParts }) => sum + settledParts, 0);
  }

  /** Monotonic milliseconds at which the oldest batch in memory was opened. */
  get oldestMs(): number | undefined {
    let oldest: number | undefined;
    for (const { batches } of this.#queues) {
      const opened = batches[0]?.openedAtMs;
      if (opened !== undefined && opened < (oldest ?? Infinity)) oldest = opened;
    }
    return oldest;
  }
}
