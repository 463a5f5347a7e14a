// Rules on the port that speaks TLS.

import type { Gateway } from '../client/gateway.ts';
import { NotChecked } from '../outcome.ts';
import type { Rule } from '../rule.ts';

const section = 'Over TLS';

function assertTls(gateway: Gateway): void {
  if (gateway.options.tls === undefined) throw new NotChecked('needs --tls');
}

export const TLS_RULES: readonly Rule[] = [
  {
    id: 'over_tls.versions',
    section,
    says: 'The port speaks TLS 1.2 and 1.3.',
    check: async (gateway) => {
      assertTls(gateway);
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const device = await gateway.connect(version);
        await device.send(`${gateway.identify()}\n`).expect('identified');
        await device.end().closed();
      }
    },
  },
  {
    id: 'over_tls.tls_required',
    section,
    says: 'A device that speaks without TLS hears `tls_required` in plain JSON.',
    check: async (gateway) => {
      assertTls(gateway);
      const device = await gateway.connectWithoutTls();
      await device.send(`${gateway.identify()}\n`).expect('tls_required');
      await device.closed();
    },
  },
  {
    id: 'over_tls.wrong_protocol',
    section,
    says: 'Another protocol than TLS hears `wrong_protocol`, in plain JSON too.',
    check: async (gateway) => {
      assertTls(gateway);
      const device = await gateway.connectWithoutTls();
      await device.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').expect('wrong_protocol');
      await device.closed();
    },
  },
];
