import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LagWindow, LoopLag } from '../../src/admin/loop-lag.ts';
import type { HistogramValue } from '../../src/measure/histogram.ts';
import { waitFor } from '../support/wait.ts';

const countOf = ({ counts }: HistogramValue) => counts.reduce((sum, one) => sum + one, 0);
/** How many were above `seconds`, which is one of the bounds. */
const above = ({ bounds, counts }: HistogramValue, seconds: number) =>
  counts.reduce((sum, one, at) => sum + ((bounds[at - 1] ?? 0) >= seconds ? one : 0), 0);

test('a busy event loop is measured ten times a second', async (t) => {
  const lag = new LoopLag();
  t.after(() => lag.stop());
  const since = performance.now();
  await waitFor('ten samples', () => countOf(lag.delays) >= 10);
  assert.ok(performance.now() - since > 850);
  const before = above(lag.delays, 0.2);
  for (const until = performance.now() + 550; performance.now() < until; );
  await waitFor('the stall and the ticks that it swallowed', () => above(lag.delays, 0.2) >= before + 2);
});

/** A loop of which the test says what it does in each second. */
function scriptedLoop(t: TestContext) {
  let nowMs = 0;
  const use = { activeMs: 0, turns: 0 };
  let call = () => {};
  const lag = new LoopLag({
    clock: () => nowMs,
    use: () => ({ ...use }),
    pace: {
      follow(follower) {
        call = follower;
        return () => {};
      },
    },
  });
  t.after(() => lag.stop());
  const beat = (activeMs: number, { turns = 1, lateMs = 0 } = {}) => {
    nowMs += 1000 + lateMs;
    use.activeMs += activeMs;
    use.turns += turns;
    call();
  };
  const rest = () => {
    while (lag.isClose) beat(3);
  };
  return { lag, beat, rest };
}

test('a quiet event loop wakes nobody up, and still has ten samples a second', (t) => {
  const { lag, beat } = scriptedLoop(t);
  for (let n = 0; n < 4; n++) beat(3);
  beat(15, { turns: 40 });
  for (let n = 0; n < 4; n++) beat(3);
  assert.ok(lag.isClose, 'not after four quiet seconds');
  beat(3);
  assert.ok(!lag.isClose);
  for (let n = 0; n < 30; n++) beat(3, { lateMs: 2 });
  assert.ok(!lag.isClose);
  assert.equal(countOf(lag.delays), 300);
  assert.ok(lag.p99Seconds <= 0.003);
  beat(15, { turns: 40 });
  assert.ok(lag.isClose, 'after a second with work');
});

test('a stall in a quiet second is seen, wherever it was, with the ticks that it swallowed', (t) => {
  const { lag, beat, rest } = scriptedLoop(t);
  rest();
  // It ended before the beat.
  beat(550, { turns: 4 });
  assert.equal(above(lag.delays, 0.05), 5);
  assert.equal(above(lag.delays, 0.2), 4);
  rest();
  // It began before the beat. The process may have been stopped while it waited.
  beat(3, { lateMs: 550 });
  assert.equal(above(lag.delays, 0.2), 8);
});

test('work in many short turns is no stall', (t) => {
  const { lag, beat, rest } = scriptedLoop(t);
  rest();
  beat(550, { turns: 400, lateMs: 1 });
  assert.equal(above(lag.delays, 0.002), 0);
});

test('a long stall counts for every tick it swallowed, so the percentile shows it', () => {
  const lag = new LagWindow(300, 100);
  for (let tick = 0; tick < 299; tick++) lag.add(1);
  lag.add(2000);
  assert.ok(lag.percentile(0.99) >= 1700);
  assert.ok(lag.percentile(0.5) === 1);
});

test('one short stall in the window is not the 99th percentile', () => {
  const lag = new LagWindow(300, 100);
  for (let tick = 0; tick < 299; tick++) lag.add(1);
  lag.add(60);
  assert.equal(lag.percentile(0.99), 1);
  assert.equal(lag.percentile(1), 60);
});

test('old samples leave the window, early ticks count as on time, and a night of suspension is bounded', () => {
  const lag = new LagWindow(4, 100);
  assert.equal(lag.percentile(0.99), 0);
  lag.add(8 * 3600 * 1000);
  assert.ok(lag.percentile(1) > 28e6);
  for (let tick = 0; tick < 4; tick++) lag.add(-2);
  assert.equal(lag.percentile(1), 0);
});
