// How long a batch waits, and what makes it wait longer than the short wait.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWorthWaiting, leavesWithWindow, shortWaitMs, windowMs } from '../../src/time/batch-wait.ts';

test('every batch may wait 10 ms, or half of a longer limit, and never longer than the limit', () => {
  const waits = [1, 5, 10, 15, 20, 100, 1000].map((limitMs) => [limitMs, shortWaitMs(limitMs)]);
  assert.deepEqual(waits, [
    [1, 1],
    [5, 5],
    [10, 10],
    [15, 10],
    [20, 10],
    [100, 50],
    [1000, 500],
  ]);
});

test('the rest of the limit is worth waiting while records come, are fewer than 40, and no device waits', () => {
  const gathered = { records: 39, silentMs: 4, isAwaited: false };
  assert.equal(isWorthWaiting(gathered, 20), true);
  assert.equal(isWorthWaiting({ ...gathered, records: 40 }, 20), false);
  assert.equal(isWorthWaiting({ ...gathered, silentMs: 5 }, 20), false);
  assert.equal(isWorthWaiting({ ...gathered, silentMs: 5 }, 100), true);
  assert.equal(isWorthWaiting({ ...gathered, isAwaited: true }, 20), false);
});

test('a read window is as long as 40 records take to come, from 8 to 20 ms and within the limit', () => {
  const windows = [0, 500, 2000, 2500, 4000, 5000, 5700, 20_000].map((perSecond) => windowMs(perSecond, 20));
  assert.deepEqual(windows, [20, 20, 20, 16, 10, 8, 8, 8]);
  assert.equal(windowMs(500, 5), 5);
  assert.equal(windowMs(20_000, 5), 5);
  assert.equal(windowMs(500, 60_000), 20);
});

test('with a limit of up to 20 ms all batches leave with their read window', () => {
  const leave = [1, 20, 21, 100].map(leavesWithWindow);
  assert.deepEqual(leave, [true, true, false, false]);
});
