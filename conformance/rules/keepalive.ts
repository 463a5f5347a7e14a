// Rules on keepalives.
import type { Rule } from '../rule.ts';

export const KEEPALIVE_RULES: readonly Rule[] = [
  {
    id: 'keepalive.alive',
    section: 'keepalive',
    says: 'A keepalive is answered `alive`, each one.',
    check: async (gateway) => {
      const device = await gateway.identified();
      for (let i = 0; i < 3; i++) await device.alive();
    },
  },
];
