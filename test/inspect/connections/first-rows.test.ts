// The first rows of an order, and the pages of several processes as one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FirstRows } from '../../../src/inspect/connections/first-rows.ts';
import { mergePages } from '../../../src/inspect/connections/merge.ts';
import { type ConnectionRow, comparePlaces, type Place } from '../../../src/inspect/connections/page.ts';

/** Places in an order without order, with many equal keys. */
const PLACES: Place[] = Array.from({ length: 500 }, (_, n) => ({
  key: (n * 7919) % 13,
  id: `${(n * 31) % 500}`,
}));
const SORTED = PLACES.toSorted(comparePlaces);

function first(places: readonly Place[], limit: number, after: Place | null) {
  const rows = new FirstRows<null>(limit, after);
  for (const place of places) rows.offer({ ...place, item: null });
  return { places: rows.rows.map(({ key, id }) => ({ key, id })), hasMore: rows.hasMore };
}

for (const limit of [1, 7, 100, 500, 501]) {
  test(`pages of ${limit} rows have each row once, in order`, () => {
    const all: Place[] = [];
    for (let after: Place | null = null, hasMore = true; hasMore; ) {
      const page = first(PLACES, limit, after);
      all.push(...page.places);
      after = page.places.at(-1) ?? null;
      hasMore = page.hasMore;
    }
    assert.deepEqual(all, SORTED);
  });
}

test('a row at the place of the cursor, or before it, is not there again', () => {
  const [a, b] = [
    { key: 1, id: 'a' },
    { key: 1, id: 'b' },
  ];
  assert.deepEqual(first([a, b], 9, a).places, [b]);
  assert.deepEqual(first([a, b], 9, b), { places: [], hasMore: false });
});

const pageOf = (places: readonly Place[], hasMore: boolean) => ({
  rows: places.map(({ key, id }) => ({ key, connection_id: id }) as ConnectionRow & { key: number }),
  hasMore,
  matching: places.length,
  total: 100,
});

test('pages of several processes become one, in order, with the sums and the next place', () => {
  const [odd, even] = [1, 0].map((rest) => SORTED.slice(0, 20).filter((_, n) => n % 2 === rest));
  const pages = [
    { process: 0, answer: pageOf(odd ?? [], false) },
    { process: 3, answer: pageOf(even ?? [], false) },
  ];
  const merged = mergePages(pages, 5);
  assert.deepEqual(
    merged.rows.map(({ connection_id: id, process }) => [id, process]),
    SORTED.slice(0, 5).map(({ id }, n) => [id, n % 2 === 0 ? 3 : 0]),
  );
  assert.deepEqual(merged.next, SORTED[4]);
  assert.deepEqual([merged.matching, merged.total], [20, 200]);
  assert.equal(mergePages(pages, 20).next, null);
  assert.deepEqual(mergePages([{ process: 0, answer: pageOf(odd ?? [], true) }], 100).next, odd?.at(-1));
  assert.deepEqual(mergePages([], 5), { rows: [], matching: 0, total: 0, next: null });
});
