// Rules on the order of replies, and on the `seq` of errors.
import type { Rule } from '../rule.ts';

const section = 'error';

export const ERROR_RULES: readonly Rule[] = [
  {
    id: 'errors.in_order',
    section,
    says: 'Errors and `alive` come in the order of the lines.',
    check: async (gateway) => {
      const device = await gateway.identified();
      const lines: string[] = [];
      const names: string[] = [];
      for (let seq = 0; seq < 40; seq++) {
        lines.push(
          'x',
          gateway.metrics(seq),
          '{"type":"keepalive"}',
          gateway.metrics(seq, '1'),
          gateway.identify(),
        );
        names.push('invalid_json', 'alive', `invalid_message ${seq}`, 'already_identified');
      }
      await device.send(`${lines.join('\n')}\n`).expect(...names);
    },
  },
  {
    id: 'errors.have_the_seq',
    section,
    says: 'An error about a message with a `seq` has that `seq`, whatever is wrong with the message.',
    check: (gateway) =>
      gateway.judges(
        ['"data":{}', '"data":1', '"x":1', '"data":[{"a":1},{}]', '"data":{"":1}'].map((rest, seq) => ({
          line: `{"type":"metrics","seq":${seq},${rest}}`,
          verdict: 'invalid_message',
          seq,
        })),
      ),
  },
  {
    id: 'errors.go_on',
    section,
    says: 'A refused line leaves the connection open, and what comes behind it is handled.',
    check: async (gateway) => {
      const device = await gateway.identified();
      for (const line of ['', '{', '{}', '{"type":"metrics"}', gateway.metrics(1, '[]')]) {
        await device.send(`${line}\n`).next('an error');
        await device.alive();
      }
    },
  },
];
