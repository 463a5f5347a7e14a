// The disk of the world that plays, for the code that runs now.
import { ProcessExit } from '../world/sim-process.ts';
import { world } from '../world/world.ts';
import type { Disk } from './disk.ts';

declare module '../world/world.ts' {
  interface World {
    /** Of the machine of the gateway. */
    disk: Disk;
  }
}

/** @throws ProcessExit for code of a process that has died, which changes nothing any more */
export function theDisk(): Disk {
  const { current, disk } = world();
  if (!current.alive) throw new ProcessExit('dead');
  return disk;
}
