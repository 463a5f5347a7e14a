// Judges the readings of a device in the topic: none is lost, none is changed, the first copies are in order.
import assert from 'node:assert/strict';
import type { ReadRecord } from '../../support/kafka.ts';

export interface Expected {
  readonly deviceId: string;
  /** It took the readings 1 to `count`. Undefined if the gateway dropped some at first: then numbers are free, and order is not promised. */
  readonly count: number | undefined;
  /** The text of `data` by `n`, as far as its file was seen. */
  readonly taken: ReadonlyMap<number, string>;
  readonly isOnce: boolean;
}

const DATA = /"data":(\{.*\})\}$/;

interface Held {
  readonly device_id: string;
  readonly data: { readonly n: number };
}

/** @param records of one partition of the topic in order @returns how many copies there are */
export function judge(records: readonly ReadRecord[], { deviceId, count, taken, isOnce }: Expected): number {
  const held = records
    .map(({ value }) => String(value))
    .filter((text) => (JSON.parse(text) as Held).device_id === deviceId)
    // The text, because the digits count.
    .map((text) => ({ n: (JSON.parse(text) as Held).data.n, text: DATA.exec(text)?.[1] ?? '' }));
  const first = new Map<number, string>();
  for (const { n, text } of held) {
    // A reading that was sent before it was in the file would be taken again, with another value.
    assert.equal(first.get(n) ?? text, text, `${deviceId}: two readings have the number ${n}`);
    if (!first.has(n)) first.set(n, text);
  }
  if (count !== undefined)
    assert.deepEqual(
      [...first.keys()],
      Array.from({ length: count }, (_, index) => index + 1),
      `${deviceId}: the readings in the topic, in order of their first copies`,
    );
  for (const [n, text] of taken)
    assert.equal(first.get(n), text, `${deviceId}: reading ${n} as its file had it`);
  const copies = held.length - first.size;
  if (isOnce) assert.equal(copies, 0, `${deviceId}: copies in the topic`);
  return copies;
}
