import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgeRuns } from '../../src/measure/age-runs.ts';
import { Histogram } from '../../src/measure/histogram.ts';

const BOUNDS = [0.001, 0.01, 0.1, 1] as const;

function ages(runs: AgeRuns, nowMs: number) {
  const histogram = new Histogram(BOUNDS);
  runs.recordTo(histogram, nowMs);
  return histogram.value;
}

test('each line counts with its own age, in whatever order lines come', () => {
  const runs = new AgeRuns();
  for (const atMs of [1000, 1000, 1050, 1000, 1099, 1099, 1099]) runs.add(atMs);
  const { counts, sum } = ages(runs, 1100);
  assert.deepEqual(counts, [3, 0, 4, 0, 0]);
  assert.ok(Math.abs(sum - (3 * 0.1 + 0.05 + 3 * 0.001)) < 1e-9);
});

test('reading the ages does not end the runs: later lines are added to them', () => {
  const runs = new AgeRuns();
  runs.add(1000);
  assert.deepEqual(ages(runs, 1000).counts, [1, 0, 0, 0, 0]);
  runs.add(1000);
  assert.deepEqual(ages(runs, 1000).counts, [2, 0, 0, 0, 0]);
  runs.clear();
  assert.deepEqual(ages(runs, 1000).counts, [0, 0, 0, 0, 0]);
});

test('a clock that was set back makes a line no younger than 0', () => {
  const runs = new AgeRuns();
  runs.add(5000);
  assert.deepEqual([ages(runs, 1000).counts, ages(runs, 1000).sum], [[1, 0, 0, 0, 0], 0]);
});

test('with very many different times no line is lost, and none gets younger', () => {
  const runs = new AgeRuns();
  const lines = 100_000;
  for (let atMs = 0; atMs < lines; atMs++) runs.add(atMs);
  const histogram = new Histogram([lines / 2000]);
  runs.recordTo(histogram, lines);
  const { counts, sum } = histogram.value;
  assert.equal(
    counts.reduce((total, count) => total + count, 0),
    lines,
  );
  const exact = (lines * (lines + 1)) / 2 / 1000;
  assert.ok(sum >= exact && sum < 1.05 * exact, `${sum} instead of ${exact}`);
  assert.ok(Math.abs((counts[0] ?? 0) / lines - 0.5) < 0.05);
});

test('the times of another are taken over once', () => {
  const [one, other] = [new AgeRuns(), new AgeRuns()];
  one.add(1000);
  other.add(1000);
  other.add(1050);
  one.takeFrom(other);
  one.takeFrom(other);
  assert.deepEqual(ages(one, 1100).counts, [0, 0, 3, 0, 0]);
  assert.deepEqual(ages(other, 1100).counts, [0, 0, 0, 0, 0]);
});
