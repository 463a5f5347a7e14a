// Moves what waits on disk, and in memory for the disk, to another number of partitions, while nothing of it is
// being sent.
import type { Batch } from './batch.ts';
import type { PartitionQueue } from './partition-queue.ts';
import type { PartitionQueues } from './partition-queues.ts';
import type { SpoolPath } from './spool-path.ts';
import { type PlacingOptions, placeAnew } from './spool-placing.ts';

const POLL_MS = 5;

/**
 * @param onDisk told of batches that were in memory and are on disk now, in their new places
 * @throws the system's error; then all is as it was, and what was read has still to be sent
 */
export async function repartition(
  { path, queues }: { path: SpoolPath; queues: PartitionQueues },
  options: PlacingOptions,
  onDisk: (queue: PartitionQueue, batches: readonly Batch[]) => void,
): Promise<void> {
  const affected = [...queues].filter((queue) => queue.spooling || queue.partition >= options.partitions);
  try {
    for (const queue of affected) await standStill(queue);
    // Those that are delivered from here on stay unsealed in memory, to be placed there.
    const moved = affected.map((queue) => [...queue.batches]);
    await placeAnew(
      path.spool.layout,
      affected.map((queue, index) => path.remaining(queue, moved[index] ?? [])),
      options,
    );
    await path.spool.reopen();
    for (const queue of queues) queue.spool = undefined;
    for (const [index, queue] of affected.entries()) {
      queue.leaveSpool();
      const batches = moved[index] ?? [];
      queue.batches.splice(0, batches.length);
      onDisk(queue, batches);
    }
    await path.resumeAll(queues);
  } catch (error) {
    for (const queue of queues) {
      queue.drained = undefined;
      await queue.spool?.log.rewind();
    }
    throw error;
  }
}

/** Resolves when nothing of the queue is being sent, written or read. */
async function standStill(queue: PartitionQueue): Promise<void> {
  while (queue.inFlight || queue.feeding || queue.loading || (queue.spool?.waiting ?? 0) > 0) {
    const taken = queue.feeding ? [] : (queue.spool?.takeBack() ?? []);
    queue.batches.unshift(...taken);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
