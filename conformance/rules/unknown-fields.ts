// Rules on the warning about a field that is not known, which a gateway may give.

import { NotChecked } from '../outcome.ts';
import type { Rule } from '../rule.ts';

export const UNKNOWN_FIELD_RULES: readonly Rule[] = [
  {
    id: 'unknown_fields.warned_once',
    section: 'warning',
    says: 'If the gateway warns of unknown fields, it does so once a connection, and the message is accepted.',
    check: async (gateway) => {
      const device = await gateway.identified({ firmvare: 3 });
      for (const seq of [1, 2]) {
        const line = gateway.metrics(seq).replace('"data"', `"sqe":${seq},"data"`);
        await device.send(`${line}\n`).stored(seq);
      }
      await device.send('{"type":"keepalive","x":1}\n').expect('alive');
      const [first, second] = device.warnings;
      if (second !== undefined) throw device.failed('one `warning` and not more');
      if (first === undefined) throw new NotChecked('the gateway does not warn (TCP_STRICT)');
      if (first.code !== 'unknown_field' || !first.message?.includes('firmvare'))
        throw device.failed('a `warning` with code `unknown_field`, whose message names the field');
    },
  },
];
