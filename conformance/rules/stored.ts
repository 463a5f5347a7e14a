// Rules on `stored`. That it only rises, names a seq that was sent, and never overtakes an error that it passes, is also
// held on every other connection of a run.
import type { Rule } from '../rule.ts';

const section = 'stored';

export const STORED_RULES: readonly Rule[] = [
  {
    id: 'stored.comes',
    section,
    says: 'A message with `seq` is answered `stored` once it is safe.',
    check: async (gateway) => {
      const device = await gateway.identified();
      for (const seq of [1, 2, 10]) await device.send(`${gateway.metrics(seq)}\n`).stored(seq);
    },
  },
  {
    id: 'stored.cumulative',
    section,
    says: '`stored` is cumulative and only rises, up to the last message.',
    check: async (gateway) => {
      const device = await gateway.identified();
      device.send(Array.from({ length: 300 }, (_, seq) => `${gateway.metrics(seq)}\n`).join(''));
      await device.stored(299);
      await device.end().closed();
    },
  },
  {
    id: 'stored.behind_errors',
    section,
    says: 'The error for a refused message comes before any `stored` that passes its `seq`.',
    check: async (gateway) => {
      const lines = Array.from({ length: 60 }, (_, seq) =>
        gateway.metrics(seq, seq % 3 === 1 ? '{}' : undefined),
      );
      const device = await gateway.identified();
      device.send(`${lines.join('\n')}\n`);
      const refused = lines.flatMap((_, seq) => (seq % 3 === 1 ? [`invalid_message ${seq}`] : []));
      await device.expect(...refused);
      await device.stored(59);
    },
  },
  {
    id: 'stored.not_for_a_refused_message',
    section,
    says: 'No `stored` comes for a message that was refused: the last one is that of the last accepted message.',
    check: async (gateway) => {
      const device = await gateway.identified();
      device.send(`${gateway.metrics(1)}\n${gateway.metrics(2, '{}')}\n`).end();
      await device.expect('invalid_message 2');
      await device.closed();
      if (device.storedSeq !== 1) throw device.failed('`stored` with seq 1 as the last');
    },
  },
  {
    id: 'stored.not_without_seq',
    section,
    says: 'No `stored` covers a message without `seq`.',
    check: async (gateway) => {
      const device = await gateway.identified();
      device.send(`${gateway.metrics()}\n`).end();
      await device.closed();
      if (device.storedSeq !== -1) throw device.failed('no `stored`');
    },
  },
];
