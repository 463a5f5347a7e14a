// The histogram of latencies, compared with a sorted array.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../load/random.ts';
import { Histogram } from '../../load/report/histogram.ts';

const SHARES = [0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1];

function sortedPercentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1] as number;
}

function filled(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

function assertClose(histogram: Histogram, values: readonly number[]): void {
  for (const share of SHARES) {
    const exact = sortedPercentile(values, share);
    const answer = histogram.percentile(share);
    assert.ok(answer >= exact, `${share}: ${answer} is below ${exact}`);
    assert.ok(answer <= exact * (1 + 1 / 128), `${share}: ${answer} is more than 1/128 above ${exact}`);
  }
}

describe('a histogram', () => {
  it('is at most 1/128 above the exact percentile, from microseconds to an hour', () => {
    const random = seededRandom(7);
    const values = Array.from({ length: 50_000 }, () => Math.floor(Math.exp(random() * 22)));
    assertClose(filled(values), values);
  });

  it('is so for any values', () => {
    const values = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 200 });
    fc.assert(fc.property(values, (list) => assertClose(filled(list), list)));
  });

  it('is exact below 256 us and at the maximum', () => {
    const values = Array.from({ length: 256 }, (_, value) => value);
    const histogram = filled([...values, 123_456_789]);
    for (const value of values) assert.equal(histogram.percentile((value + 1) / 257), value);
    assert.equal(histogram.summary().max, 123_456.789);
    assert.equal(histogram.percentile(1), 123_456_789);
  });

  it('counts a value with a weight like as many single values', () => {
    const once = new Histogram();
    once.record(5_000, 99);
    once.record(90_000);
    assertClose(once, [...Array.from({ length: 99 }, () => 5_000), 90_000]);
    assert.equal(once.count, 100);
  });

  it('adds up with that of another process as if one had measured everything', () => {
    const random = seededRandom(11);
    const values = Array.from({ length: 10_000 }, () => Math.floor(random() * 3e6));
    const sum = new Histogram();
    sum.add(filled(values.slice(0, 3_000)).take());
    sum.add(filled(values.slice(3_000)).take());
    assert.deepEqual(sum.summary(), filled(values).summary());
  });

  it('is empty after take(), and all zeros when empty', () => {
    const histogram = filled([1, 2, 3]);
    assert.equal(histogram.take().pairs.length, 6);
    assert.deepEqual(histogram.summary(), { count: 0, p50: 0, p95: 0, p99: 0, p999: 0, max: 0 });
    assert.deepEqual(histogram.take(), { pairs: [], maxUs: 0 });
  });

  it('counts a negative value as 0, and more than 71 minutes as the highest value', () => {
    const histogram = filled([-5, 2 ** 40]);
    assert.equal(histogram.percentile(0.5), 0);
    assert.equal(histogram.percentile(1), 2 ** 32 - 1);
    assert.equal(histogram.summary().max, 2 ** 40 / 1000);
  });
});
