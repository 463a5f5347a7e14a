// node:dns/promises in a world: the names of its network.
import { world } from '../world/world.ts';

/** A name server of the same machine room. */
const LOOKUP_MS = 0.3;

/** Rejects as getaddrinfo() fails: ENOTFOUND, EAI_AGAIN. */
export function lookup(host: string): Promise<{ address: string; family: number }> {
  const { network } = world();
  return new Promise((resolve, reject) => {
    world().after(LOOKUP_MS, () => {
      try {
        resolve(network.lookup(host));
      } catch (error) {
        reject(error);
      }
    });
  });
}
