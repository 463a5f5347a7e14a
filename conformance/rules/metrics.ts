// Rules on metrics messages: the forms of `data`, and arrays of readings.

import type { Gateway } from '../client/gateway.ts';
import { NotChecked } from '../outcome.ts';
import type { Rule } from '../rule.ts';

const section = 'metrics';
const MAX_READINGS = 1000;

/** Every reading has the fields that the gateway asks for, which may make a line too long. */
function arrayOf(gateway: Gateway, count: number): string {
  const text = `[${Array<string>(count).fill(`{${gateway.required}"a":1}`).join(',')}]`;
  if (text.length + 64 > gateway.options.maxLineBytes)
    throw new NotChecked('1000 readings with the fields of --reading do not fit into a line');
  return text;
}

/** Strings of pairs need every field of --reading as a pair, which is left out here. */
function assertNoReading(gateway: Gateway): void {
  if (gateway.required !== '') throw new NotChecked('the gateway asks for fields of a reading');
}

export const METRICS_RULES: readonly Rule[] = [
  {
    id: 'metrics.object',
    section,
    says: '`data` may be a reading, and an accepted message without `seq` gets no reply.',
    check: async (gateway) => {
      const device = await gateway.identified();
      device.send(`${gateway.metrics()}\n${gateway.metrics()}\n{"type":"keepalive"}\n`).end();
      await device.expect('alive');
      await device.closed();
    },
  },
  {
    id: 'metrics.array',
    section,
    says: '`data` may be an array of 1 to 1000 readings, which may be objects and strings of pairs.',
    check: async (gateway) => {
      const reading = `{${gateway.required}"wind":3}`;
      const pairs = gateway.required === '' ? ',"wind=5"' : '';
      await gateway.judgesData([
        [`[${reading}]`, 'ok'],
        [`[${reading},${reading}${pairs}]`, 'ok'],
        [arrayOf(gateway, MAX_READINGS), 'ok'],
      ]);
    },
  },
  {
    id: 'metrics.array_refused',
    section,
    says: 'An array of none or of more than 1000 readings is refused.',
    check: (gateway) =>
      gateway.judgesData([
        ['[]', 'invalid_message'],
        [arrayOf(gateway, MAX_READINGS + 1), 'invalid_message'],
      ]),
  },
  {
    id: 'metrics.all_or_none',
    section,
    says: 'One bad reading refuses its whole message.',
    check: (gateway) => {
      const good = `{${gateway.required}"a":1}`;
      return gateway.judgesData([
        [`[${good},{}]`, 'invalid_message'],
        [`[${good},1,${good}]`, 'invalid_message'],
        [`[[${good}]]`, 'invalid_message'],
        [`[${good},"a"]`, 'invalid_message'],
        [`[${good},null]`, 'invalid_message'],
      ]);
    },
  },
  {
    id: 'metrics.no_data',
    section,
    says: '`data` that is missing, or is neither a reading nor an array of them, is refused.',
    check: (gateway) =>
      gateway.judges([
        { line: '{"type":"metrics"}', verdict: 'invalid_message' },
        { line: '{"type":"metrics","seq":0}', verdict: 'invalid_message', seq: 0 },
        ...['null', 'true', '1', '""'].map((data, index) => ({
          line: gateway.metrics(index + 1, data),
          verdict: 'invalid_message' as const,
          seq: index + 1,
        })),
      ]),
  },
  {
    id: 'metrics.type',
    section,
    says: 'A `type` that is missing, unknown or no string is refused.',
    check: (gateway) =>
      gateway.judges(
        [
          '{}',
          '{"type":"metric"}',
          '{"type":1}',
          '{"type":null}',
          '{"type":["keepalive"]}',
          '{"type":"keepalive "}',
        ].map((line) => ({ line, verdict: 'invalid_message' })),
      ),
  },
  {
    id: 'metrics.pairs',
    section,
    says: 'A reading may be a string of pairs, with white space around names and values.',
    check: (gateway) => {
      assertNoReading(gateway);
      return gateway.judgesData([
        ['"temperature=25.5,humidity=60.0"', 'ok'],
        ['" a = 1 ,\\u00a0b\\t=\\u3000x y "', 'ok'],
        ['"a=,b=="', 'ok'],
        ['"\\u0061\\u003d1"', 'ok'],
        [`"${'x'.repeat(64)}=1"`, 'ok'],
        [`"a=${'1'.repeat(1024)}"`, 'ok'],
      ]);
    },
  },
  {
    id: 'metrics.pairs_refused',
    section,
    says: 'A pair that is empty or without `=`, an empty name, a name twice, and what is beyond a limit are refused.',
    check: (gateway) =>
      gateway.judgesData(
        ['""', '"a"', '"a=1,"', '",a=1"', '"a=1,,b=2"', '"=1"', '" =1"', '"a=1, a =2"', '"a\\u0007b=1"']
          .concat(`"${'x'.repeat(65)}=1"`, `"a=${'1'.repeat(1025)}"`)
          .map((data) => [data, 'invalid_message']),
      ),
  },
];
