// Shows a record of Kafka as text for a terminal. Keys, values and headers may hold anything that a device sent.
import { printable } from '../../src/config/printable.ts';

export interface ShownRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** A name may come several times. */
  readonly headers: Readonly<Record<string, Buffer | string | readonly (Buffer | string)[] | undefined>>;
}

/** Characters of a value, unless all of it is wanted. A reading has about 250. */
const MAX_VALUE = 2000;

/** Key and value on a line, and a second line with the headers if there are any. */
export function recordText({ key, value, headers }: ShownRecord, { whole }: { whole: boolean }): string {
  const first = `${key === null ? 'null' : printable(String(key))} ${valueText(value, whole)}\n`;
  const fields = Object.entries(headers).flatMap(([name, one]) =>
    [one ?? ''].flat().map((text) => `${printable(name)}=${shortened(printable(String(text)), whole)}`),
  );
  return fields.length === 0 ? first : `${first}    headers: ${fields.join(', ')}\n`;
}

function valueText(value: Buffer | null, whole: boolean): string {
  return value === null ? 'null' : shortened(printable(value.toString()), whole);
}

function shortened(text: string, whole: boolean): string {
  if (whole || text.length <= MAX_VALUE) return text;
  return `${text.slice(0, MAX_VALUE)}... (${text.length} characters; --whole shows all)`;
}
