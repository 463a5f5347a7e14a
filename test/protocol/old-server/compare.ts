// Compares the outcome of a case on the Go server with that on Sluice. It judges nothing.
import type { Case } from './cases.ts';
import type { Difference } from './differences.ts';
import type { Outcome } from './play.ts';

interface RecordValue {
  readonly zipcode: string;
  readonly city: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Undefined if there is no difference. */
export function differenceOf(old: Case, ours: Outcome): Difference | undefined {
  const statuses = ours.replies.map((word) => (CODE.test(word) ? 'error' : word));
  const isAlike = statuses.join() === old.replies.join() && !statuses.includes('error');
  const data = ours.records.length === old.records.length ? kindsOf(old.records, ours.records) : [];
  const difference = {
    ...(!isAlike && { replies: ours.replies }),
    ...(ours.isClosed !== (old.closed !== null) && { isClosed: ours.isClosed }),
    ...(ours.records.length !== old.records.length && { records: ours.records.length }),
    ...(data.length > 0 && { data }),
  };
  return Object.keys(difference).length === 0 ? undefined : difference;
}

/** Codes have an underscore, statuses have none. */
const CODE = /_/;

/** A burst of lines in one write came from the Go server in any order. */
function kindsOf(old: readonly string[], ours: readonly string[]): string[] {
  const left = [...ours];
  const kinds = old.flatMap((text) => {
    // The only field that tells the readings of a case from each other.
    const at = left.findIndex((other) => dataOf(other).temperature === dataOf(text).temperature);
    const [other = ''] = left.splice(Math.max(0, at), 1);
    return kindsBetween(text, other);
  });
  return [...new Set(kinds)].sort();
}

const recordOf = (text: string) => JSON.parse(text) as RecordValue;
const dataOf = (text: string) => recordOf(text).data;

function kindsBetween(oldText: string, ourText: string): string[] {
  const [old, ours] = [recordOf(oldText), recordOf(ourText)];
  const kinds: string[] = [];
  if (ours.zipcode !== old.zipcode) kinds.push('zipcode');
  if (ours.city !== old.city) kinds.push('city');
  for (const [name, value] of Object.entries(old.data)) {
    const other = ours.data[name];
    if (other === undefined) kinds.push('absent');
    else if (other === null) kinds.push('null');
    else if (other !== value) kinds.push('value');
    else if (typeof value === 'number' && fieldText(oldText, name) !== fieldText(ourText, name))
      kinds.push('digits');
  }
  if (Object.keys(ours.data).some((name) => !(name in old.data))) kinds.push('extra');
  return kinds;
}

function fieldText(text: string, name: string): string | undefined {
  return new RegExp(`"${name}":([^,}]*)`).exec(text)?.[1];
}
