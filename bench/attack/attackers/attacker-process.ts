// The entry of a process of attackers.
import { setImmediate as turn } from 'node:timers/promises';
import { serveCalls } from '../../../load/processes/child.ts';
import { ATTACKS } from '../attacks.ts';
import type { AttackerReport } from '../evidence.ts';
import { Arena, type ArenaOptions } from './arena.ts';

export interface AttackerCalls {
  /** Resolves at the end of the attack. */
  attack(options: { readonly name: string; readonly arena: ArenaOptions }): Promise<AttackerReport>;
}

serveCalls<AttackerCalls>({
  async attack({ name, arena: options }) {
    const attack = ATTACKS.find((attack) => attack.name === name);
    if (attack === undefined) throw new Error(`there is no attack ${name}`);
    const arena = new Arena(options);
    try {
      await attack.run(arena);
      await arena.rest();
      // Attackers that rested note their last figures first.
      await turn();
    } finally {
      arena.close();
    }
    return arena.report;
  },
});
