// Moves the batches on disk, and those in memory on their way there, to another number of partitions, while nothing
// of them is being sent.
import type { Spool } from '../spool/spool.ts';
import type { Batch } from './batch.ts';
import type { Partition } from './partition.ts';
import { type PlacingOptions, placeAnew } from './spool-placing.ts';

/**
 * @param onDisk told of batches that were in memory and are on disk now, in their new places
 * @throws the system's error; then all is as it was, and what was read has still to be sent
 */
export async function repartition(
  { spool, all }: { spool: Spool; all: readonly Partition[] },
  options: PlacingOptions,
  onDisk: (batches: readonly Batch[]) => void,
): Promise<void> {
  // Also those that only have batches in memory: a batch that fails meanwhile must not open a log of the old set.
  const affected = all.filter(({ isOnDisk, number }) => isOnDisk || number >= options.partitions);
  try {
    await Promise.all(all.map((partition) => partition.halt()));
    // Batches that are delivered from here on stay unsealed in memory, to be placed there.
    const waiting = affected.map((partition) => [...partition.waiting]);
    await placeAnew(
      spool.layout,
      affected.map((partition, index) => partition.remaining(waiting[index] ?? [])),
      options,
    );
    await spool.reopen();
    for (const partition of all) {
      const index = affected.indexOf(partition);
      onDisk(partition.moved(waiting[index]?.length ?? 0));
    }
  } catch (error) {
    await Promise.all(all.map((partition) => partition.resume()));
    throw error;
  }
}
