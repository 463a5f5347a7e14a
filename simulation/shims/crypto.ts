// node:crypto in a world: random values come from the seed, everything else is Node's own.
import * as crypto from 'node:crypto';
import { Random } from '../world/random.ts';
import { hasWorld, world } from '../world/world.ts';

export * from 'node:crypto';

/** For values that modules draw while they are loaded, before any world: the same for all worlds. */
const early = new Random(0, 'crypto before a world');

const random = () => (hasWorld() ? world().random(`crypto of ${world().current.name}`) : early);

export function randomBytes(bytes: number): Buffer {
  return random().bytes(bytes);
}

export function randomInt(...[first, second]: [max: number] | [min: number, max: number]): number {
  const [from, to] = second === undefined ? [0, first] : [first, second];
  return random().between(from, to - 1);
}

/** A valid one of version 4. */
export function randomUUID(): string {
  const bytes = random().bytes(16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export default { ...crypto, randomBytes, randomInt, randomUUID };
