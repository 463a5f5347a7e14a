// Rules on a device that ends its sending side and goes on reading.
import type { Rule } from '../rule.ts';

const section = 'Lines';

export const HALF_CLOSE_RULES: readonly Rule[] = [
  {
    id: 'half_close.answers',
    section,
    says: 'After a FIN the gateway handles all lines before it, sends every reply that is due, and then closes.',
    check: async (gateway) => {
      const device = await gateway.connect();
      device.send(`${gateway.identify()}\n${gateway.metrics(1)}\nx\n${gateway.metrics(2)}\n`);
      device.send('{"type":"keepalive"}\n').end();
      await device.expect('identified', 'invalid_json', 'alive');
      await device.closed();
      if (device.storedSeq !== 2) throw device.failed('`stored` with seq 2 before the end of the connection');
    },
  },
  {
    id: 'half_close.last_line',
    section,
    says: 'A last line without LF counts if it is complete.',
    check: async (gateway) => {
      const device = await gateway.identified();
      device.send(`{"type":"keepalive"}\n${gateway.metrics(5)}`).end();
      await device.expect('alive');
      await device.closed();
      if (device.storedSeq !== 5) throw device.failed('`stored` with seq 5 before the end of the connection');
    },
  },
  {
    id: 'half_close.last_cr',
    section,
    says: 'A CR at the end of a last line without LF is ignored.',
    check: async (gateway) => {
      const device = await gateway.identified();
      await device.send('{"type":"keepalive"}\r').end().expect('alive');
      await device.closed();
    },
  },
  {
    id: 'half_close.incomplete',
    section,
    says: 'A last line without LF that is not complete is `invalid_json`.',
    check: async (gateway) => {
      const device = await gateway.identified();
      await device.send('{"type":"keepaliv').end().expect('invalid_json');
      await device.closed();
    },
  },
  {
    id: 'half_close.nothing',
    section,
    says: 'A connection that ends without a line is closed.',
    check: async (gateway) => {
      await (await gateway.connect()).end().closed();
    },
  },
];
