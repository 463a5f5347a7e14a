// src/disk/flock.ts in a world: the locks of its disk.
import type { FlockKind } from '../../src/disk/flock.ts';
import { world } from '../world/world.ts';

export const NO_FLOCK = 'NO_FLOCK';

export function tryFlock(fd: number, kind: FlockKind): boolean {
  return world().disk.flock(fd, kind);
}
