// Rules on `seq`: its form, and how it has to rise.
import type { Rule } from '../rule.ts';

const section = 'seq';
const MAX_SEQ = Number.MAX_SAFE_INTEGER;

export const SEQ_RULES: readonly Rule[] = [
  {
    id: 'seq.range',
    section,
    says: '`seq` is an integer from 0 to 9007199254740991.',
    check: async (gateway) => {
      const device = await gateway.identified();
      await device.send(`${gateway.metrics(0)}\n`).stored(0);
      await device.send(`${gateway.metrics(MAX_SEQ)}\n`).stored(MAX_SEQ);
    },
  },
  {
    id: 'seq.form',
    section,
    says: 'A `seq` in any other form is `invalid_message`, and the error has no `seq`.',
    check: (gateway) =>
      gateway.judges(
        ['9007199254740992', '-1', '-0', '41.0', '4.1e1', '1e400', '"41"', 'null', 'true', '[41]'].map(
          (seq) => ({
            line: gateway.metrics().replace('"data"', `"seq":${seq},"data"`),
            verdict: 'invalid_message',
          }),
        ),
      ),
  },
  {
    id: 'seq.twice_in_a_line',
    section: 'error',
    says: 'An error for a message with two `seq` has none.',
    isRelaxedByGo: true,
    check: (gateway) =>
      gateway.judges([
        { line: gateway.metrics(1).replace('"data"', '"seq":2,"data"'), verdict: 'invalid_message' },
      ]),
  },
  {
    id: 'seq.rises',
    section,
    says: 'A `seq` that does not rise is `invalid_message`. Gaps are fine.',
    check: (gateway) =>
      gateway.judges([
        { line: gateway.metrics(5), verdict: 'ok', seq: 5 },
        { line: gateway.metrics(5), verdict: 'invalid_message', seq: 5 },
        { line: gateway.metrics(4), verdict: 'invalid_message', seq: 4 },
        { line: gateway.metrics(6), verdict: 'ok', seq: 6 },
        { line: gateway.metrics(1_000_000), verdict: 'ok', seq: 1_000_000 },
        { line: gateway.metrics(999_999), verdict: 'invalid_message', seq: 999_999 },
      ]),
  },
  {
    id: 'seq.of_a_refused_message',
    section,
    says: 'The `seq` of a refused message may be used again, as long as no higher one was accepted.',
    check: (gateway) =>
      gateway.judges([
        { line: gateway.metrics(9, '{}'), verdict: 'invalid_message', seq: 9 },
        { line: gateway.metrics(3), verdict: 'ok', seq: 3 },
        { line: gateway.metrics(4, '{}'), verdict: 'invalid_message', seq: 4 },
        { line: gateway.metrics(4), verdict: 'ok', seq: 4 },
        { line: gateway.metrics(5, '{}'), verdict: 'invalid_message', seq: 5 },
        { line: gateway.metrics(6), verdict: 'ok', seq: 6 },
        { line: gateway.metrics(5), verdict: 'invalid_message', seq: 5 },
      ]),
  },
  {
    id: 'seq.between_others',
    section,
    says: 'Messages without `seq` may come between others.',
    check: (gateway) =>
      gateway.judges([
        { line: gateway.metrics(1), verdict: 'ok', seq: 1 },
        { line: gateway.metrics(), verdict: 'ok' },
        { line: gateway.metrics(2), verdict: 'ok', seq: 2 },
      ]),
  },
  {
    id: 'seq.of_a_new_connection',
    section,
    says: 'A new connection may begin with any `seq`, also a lower one.',
    check: async (gateway) => {
      for (const seq of [1000, 7]) {
        const device = await gateway.identified();
        await device.send(`${gateway.metrics(seq)}\n`).stored(seq);
        await device.end().closed();
      }
    },
  },
];
