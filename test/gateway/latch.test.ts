import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Growth } from '../../src/gateway/growth.ts';
import { Latch } from '../../src/gateway/latch.ts';

test('a condition counts after it has held for a while, and ends after it has not held for a while', () => {
  const latch = new Latch({ beginsAfterMs: 2_000, endsAfterMs: 5_000 });
  const at = (seconds: number, holds: boolean) => {
    latch.note(holds, seconds * 1000);
    return latch.isOn;
  };
  assert.deepEqual([at(0, true), at(1.9, true), at(2, true)], [false, false, true]);
  // Flickering keeps it on.
  assert.deepEqual(
    [at(3, false), at(7.9, false), at(7.95, true), at(8, false), at(12.9, false)].includes(false),
    false,
  );
  assert.equal(at(13, false), false);
  // Flickering keeps it off.
  assert.deepEqual(
    [at(14, true), at(15.9, true), at(15.95, false), at(16, true), at(17.9, true)].includes(true),
    false,
  );
  assert.equal(at(18, true), true);
});

test('without a delay a condition counts at once', () => {
  const latch = new Latch({ beginsAfterMs: 0, endsAfterMs: 10_000 });
  latch.note(true, 0);
  assert.equal(latch.isOn, true);
});

test('growth is that of the last minute, and negative while the spool drains', () => {
  const growth = new Growth();
  assert.equal(growth.perSecond, 0);
  for (let second = 0; second <= 120; second++) growth.note(second * 1_000, second * 1_000);
  assert.equal(growth.perSecond, 1_000);
  for (let second = 121; second <= 180; second++) growth.note(120_000, second * 1_000);
  assert.equal(growth.perSecond, 0);
  for (let second = 181; second <= 240; second++) growth.note(120_000 - (second - 180) * 500, second * 1_000);
  assert.equal(growth.perSecond, -500);
});

test('growth over less than two seconds is not told', () => {
  const growth = new Growth();
  growth.note(0, 0);
  growth.note(1e9, 1_500);
  assert.equal(growth.perSecond, 0);
});
