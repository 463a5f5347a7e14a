import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as BUCKETS from '../../src/measure/buckets.ts';
import { countOf, emptyHistogram, Histogram, mergeHistograms } from '../../src/measure/histogram.ts';

test('a value belongs to the first bound that it does not exceed', () => {
  const histogram = new Histogram([1, 2, 5]);
  for (const value of [0, 1, 1.001, 2, 5, 5.001, 1000]) histogram.record(value);
  assert.deepEqual(histogram.value, { bounds: [1, 2, 5], counts: [2, 2, 1, 2], sum: 1014.002 });
});

test('a value that occurred several times counts as often', () => {
  const histogram = new Histogram([1]);
  histogram.record(0.5, 4);
  histogram.record(2, 3);
  assert.deepEqual(histogram.value, { bounds: [1], counts: [4, 3], sum: 8 });
  assert.equal(countOf(histogram.value), 7);
});

test('a value that was read does not change any more', () => {
  const histogram = new Histogram([1]);
  const before = histogram.value;
  histogram.record(0.5);
  assert.deepEqual(before.counts, [0, 0]);
});

test('histograms of several processes add up, and the empty one changes nothing', () => {
  const [one, other] = [new Histogram([1, 2]), new Histogram([1, 2])];
  one.record(1);
  one.record(9);
  other.record(1.5, 2);
  const sum = mergeHistograms([1, 2], [one.value, emptyHistogram([1, 2]), other.value]);
  assert.deepEqual(sum, { bounds: [1, 2], counts: [1, 2, 1], sum: 13 });
  assert.deepEqual(mergeHistograms([1, 2], []), emptyHistogram([1, 2]));
  // As it comes from another process.
  assert.deepEqual(mergeHistograms([1, 2], [JSON.parse(JSON.stringify(one.value))]), one.value);
});

test('the bounds of each histogram rise', () => {
  for (const [name, bounds] of Object.entries<readonly number[]>(BUCKETS)) {
    assert.ok(bounds.length > 5, name);
    for (const [index, bound] of bounds.entries()) assert.ok(bound > (bounds[index - 1] ?? 0), name);
  }
});
