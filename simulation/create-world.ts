// Makes a world with its network and its disk, which the shims find there.
import './disk/disk-of-world.ts';
import { Disk } from './disk/disk.ts';
import { Network } from './network/network.ts';
import { World, type WorldOptions } from './world/world.ts';

/** @throws Error if another world has not ended */
export function createWorld(seed: number, options?: WorldOptions): World {
  const world = new World(seed, options);
  world.network = new Network(world);
  world.disk = new Disk(world);
  return world;
}
