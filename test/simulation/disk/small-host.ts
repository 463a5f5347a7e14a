// A host for a disk without a world: one process, and calls that end in the next turn of the event loop.
import type { DiskHost } from '../../../simulation/disk/host.ts';
import { Random } from '../../../simulation/world/random.ts';

export function smallHost(seed: number): DiskHost {
  return {
    wallMs: 1_767_225_600_000,
    current: { pid: 1, onDeath: () => undefined },
    random: (name) => new Random(seed, name),
    note: () => undefined,
    after: (_delayMs, work) => setImmediate(work),
  };
}
