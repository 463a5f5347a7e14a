// How many CPUs this process may use: its affinity, or less by the CPU quota of its control groups. A container with a quota
// sees all cores of its machine.
//
// A quota is microseconds of CPU time in each period, for all threads of the group together. When it is used up, all of them
// stand still until the period (100 ms) ends.
//   version 2: cpu.max = "<quota or max> <period>"
//   version 1: cpu.cfs_quota_us (-1 = none) and cpu.cfs_period_us
// Node.js before 22 does not look at the quota, and libuv ignores one of less than one CPU.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type GroupDirectory, groupDirectories, linesIn } from './control-groups.ts';

export interface AvailableCpus {
  /** At least 1. */
  readonly count: number;
  /** In CPUs, such as 1.5. Undefined if there is none, or if it allows more than the affinity. */
  readonly quota: number | undefined;
}

interface Machine {
  /** The folder in which `proc` and `sys` lie. */
  readonly root?: string;
  /** CPUs of the affinity. */
  readonly affinity?: number;
}

/**
 * A quota is rounded down. With 1.5 CPUs two busy server processes would use it up and stand still for a quarter of the
 * time, with all their devices. One process leaves the rest to its other threads: garbage collection, codecs, files.
 */
export function availableCpus({
  root = '/',
  affinity = availableParallelism(),
}: Machine = {}): AvailableCpus {
  const quota = Math.min(...groupDirectories('cpu', root).map(quotaOf));
  // From Node 22 on the affinity already has the quota, rounded down.
  const counts = Math.floor(quota) <= affinity;
  return counts ? { count: Math.max(1, Math.floor(quota)), quota } : { count: affinity, quota: undefined };
}

/** Infinity if there is none: `max`, -1, or a missing file. */
function quotaOf({ version, directory }: GroupDirectory): number {
  const line = (name: string) => linesIn(join(directory, name))[0] ?? '';
  const [quota, period] =
    version === 2 ? line('cpu.max').split(' ') : [line('cpu.cfs_quota_us'), line('cpu.cfs_period_us')];
  return Number(quota) > 0 && Number(period) > 0 ? Number(quota) / Number(period) : Number.POSITIVE_INFINITY;
}
