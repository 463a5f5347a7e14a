import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import { Beat } from '../../src/time/beat.ts';

function startClock(t: TestContext, nowMs: number) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  return {
    clock: () => nowMs,
    pass(ms: number) {
      for (let n = 0; n < ms; n++) {
        nowMs++;
        mock.timers.tick(1);
      }
    },
  };
}

test('beats with each whole second of the machine, so that all processes wake up together', (t) => {
  const { clock, pass } = startClock(t, 5_300);
  const at: number[] = [];
  t.after(new Beat(clock).follow(() => at.push(clock())));
  pass(3_000);
  assert.deepEqual(at, [6_000, 7_000, 8_000]);
});

test('all who follow share a beat, in their order, until they end it', (t) => {
  const { clock, pass } = startClock(t, 0);
  const beat = new Beat(clock);
  const calls: string[] = [];
  const ends = ['first', 'second'].map((name) => beat.follow(() => calls.push(name)));
  pass(1_000);
  ends[0]?.();
  pass(1_000);
  ends[1]?.();
  pass(5_000);
  assert.deepEqual(calls, ['first', 'second', 'second']);
});

test('a timer that fires a little early does not beat twice', (t) => {
  const { clock, pass } = startClock(t, 0);
  const early = new Beat(() => Math.max(0, clock() - 0.7));
  let beats = 0;
  t.after(early.follow(() => beats++));
  pass(5_500);
  assert.equal(beats, 5);
});

test('a stall is one beat, however long it was', (t) => {
  const { clock, pass } = startClock(t, 0);
  let stalledMs = 0;
  let beats = 0;
  t.after(new Beat(() => clock() + stalledMs).follow(() => beats++));
  pass(900);
  stalledMs = 60_000;
  pass(200);
  assert.equal(beats, 1);
});
