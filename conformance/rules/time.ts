// Rules on the message that asks for the time.
import type { Gateway } from '../client/gateway.ts';
import type { Rule } from '../rule.ts';

const section = 'time';
const TIME = '{"type":"time"}';
/** UTC with milliseconds, as `received_at` of a record. */
const FORM = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function askedTime(gateway: Gateway): Promise<void> {
  const device = await gateway.identified();
  let before = 0;
  for (let i = 0; i < 3; i++) {
    const { now } = (await device.send(`${TIME}\n`).expect('time')).fields;
    if (typeof now !== 'string' || !FORM.test(now) || Number.isNaN(Date.parse(now)))
      throw device.failed('`time` with "now" in UTC with milliseconds, such as 2026-11-28T00:00:00.000Z');
    // A second backwards is more than any correction of a clock that runs well.
    if (Date.parse(now) < before - 1000) throw device.failed('a time that does not run backwards');
    before = Date.parse(now);
  }
}

export const TIME_RULES: readonly Rule[] = [
  {
    id: 'time.answered',
    section,
    says: 'A time message is answered `time`, with the time of the gateway in "now".',
    check: askedTime,
  },
  {
    id: 'time.in_order',
    section,
    says: 'The answer comes in the order of the lines, as `alive` does.',
    check: async (gateway) => {
      const device = await gateway.identified();
      const lines = ['x', TIME, '{"type":"keepalive"}', TIME, '{}', TIME];
      await device
        .send(
          lines
            .map((line) => `${line}\n`)
            .join('')
            .repeat(20),
        )
        .expect(
          ...Array(20).fill(['invalid_json', 'time', 'alive', 'time', 'invalid_message', 'time']).flat(),
        );
    },
  },
  {
    id: 'time.not_first',
    section,
    says: 'Before identify it is `not_identified`, and the connection is closed.',
    check: async (gateway) => {
      const device = await gateway.connect();
      await device.send(`${TIME}\n`).expect('not_identified');
      await device.closed();
    },
  },
];
