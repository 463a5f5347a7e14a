// Rules on the trace that a metrics message may belong to, if the gateway carries it on.
import type { Gateway } from '../client/gateway.ts';
import { NotChecked } from '../outcome.ts';
import type { Rule } from '../rule.ts';

const GOOD = '"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"';
const BAD = [
  '""',
  '1',
  'null',
  '"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"',
  '"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"',
  '"00-00000000000000000000000000000000-b7ad6b7169203331-01"',
  '"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"',
];

const traced = (gateway: Gateway, seq: number, traceparent: string) =>
  gateway.metrics(seq).replace('"seq"', `"traceparent":${traceparent},"seq"`);

export const TRACEPARENT_RULES: readonly Rule[] = [
  {
    id: 'traceparent.form',
    section: 'traceparent',
    says: 'If the gateway takes a `traceparent`, one in any other form than that of W3C is `invalid_message`.',
    check: async (gateway) => {
      // Without the setting the field is not known, so it is ignored.
      const device = await gateway.identified();
      await device.send(`${traced(gateway, 1, '""')}\n{"type":"keepalive"}\n`);
      if ((await device.next('`alive`, or `invalid_message 1`')).status === 'alive')
        throw new NotChecked('the gateway takes no traceparent (KAFKA_HEADERS)');
      await gateway.judges([
        { line: traced(gateway, 0, GOOD), verdict: 'ok', seq: 0 },
        ...BAD.map((text, index) => ({
          line: traced(gateway, index + 1, text),
          verdict: 'invalid_message' as const,
          seq: index + 1,
        })),
      ]);
    },
  },
];
