// Rules on the fields that the operator requires of every reading.
import type { JudgedData } from '../client/gateway.ts';
import { NotChecked } from '../outcome.ts';
import type { Rule } from '../rule.ts';

export const REQUIRED_RULES: readonly Rule[] = [
  {
    id: 'required_fields.missing',
    section: 'required fields',
    says: 'A reading without a required field, or with another type in its place, is `invalid_message`.',
    check: async (gateway) => {
      const { reading } = gateway.options;
      const names = Object.keys(reading);
      if (names.length === 0) throw new NotChecked('needs --reading');
      const without = names.map((name) => JSON.stringify({ ...reading, a: 1, [name]: undefined }));
      const ofNull = names.map((name) => JSON.stringify({ ...reading, a: 1, [name]: null }));
      const inside = JSON.stringify({ o: reading });
      const good = JSON.stringify({ ...reading, a: 1 });
      await gateway.judgesData([
        [good, 'ok'],
        ...[...without, ...ofNull, inside, `[${good},${without[0]}]`].map(
          (data): JudgedData => [data, 'invalid_message'],
        ),
      ]);
    },
  },
];
