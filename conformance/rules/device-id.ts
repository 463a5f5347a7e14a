// Rules on a device_id that identifies on two connections.
import type { Rule } from '../rule.ts';

export const DEVICE_ID_RULES: readonly Rule[] = [
  {
    id: 'device_id.replaced',
    section: 'identify',
    says: 'If the same `device_id` identifies on a newer connection, the older one is closed with `replaced`.',
    check: async (gateway) => {
      const id = gateway.newDeviceId();
      const older = await gateway.identified({ device_id: id });
      await older.alive();
      const newer = await gateway.identified({ device_id: id });
      await older.expect('replaced');
      await older.closed();
      await newer.send(`${gateway.metrics(1)}\n`).stored(1);
      await newer.alive();
    },
  },
  {
    id: 'device_id.others_stay',
    section: 'identify',
    says: 'Another `device_id`, or none, replaces nothing.',
    check: async (gateway) => {
      const first = await gateway.identified({ device_id: gateway.newDeviceId() });
      const second = await gateway.identified({ device_id: gateway.newDeviceId() });
      await first.alive();
      await second.alive();
    },
  },
];
