import assert from 'node:assert/strict';
import { beforeEach, it, type TestContext } from 'node:test';
import { NOT_SCHEDULED, type TimerOwner, TimerWheel } from '../../src/server/timer-wheel.ts';
import { ManualTimers } from './manual-timers.ts';

const TICK_MS = 100;
let timers = new ManualTimers();

class Owner implements TimerOwner {
  wheelSlot = NOT_SCHEDULED;
  readonly firedAt: number[] = [];
  onTimer(nowMs: number): void {
    this.firedAt.push(nowMs);
  }
}

function startWheel(t: TestContext): TimerWheel {
  const wheel = new TimerWheel({ tickMs: TICK_MS, clock: timers.clock, timers });
  wheel.start();
  t.after(() => wheel.stop());
  return wheel;
}

beforeEach(() => {
  timers = new ManualTimers();
});

it('fires once, not early and at most two ticks late', (t) => {
  const wheel = startWheel(t);
  const owner = new Owner();
  wheel.schedule(owner, 1000);
  timers.pass(1000);
  assert.deepEqual(owner.firedAt, []);
  timers.pass(2 * TICK_MS);
  assert.equal(owner.firedAt.length, 1);
  timers.pass(10_000);
  assert.equal(owner.firedAt.length, 1);
  assert.equal(wheel.size, 0);
});

it('fires early if the delay is longer than the wheel, and the owner has to ask again', (t) => {
  const wheel = startWheel(t);
  const owner = new Owner();
  wheel.schedule(owner, 3_600_000);
  timers.pass(60_000);
  assert.equal(owner.firedAt.length, 1);
});

it('keeps one timer for each owner: schedule replaces it, cancel removes it', (t) => {
  const wheel = startWheel(t);
  const owner = new Owner();
  wheel.schedule(owner, 500);
  wheel.schedule(owner, 5000);
  assert.equal(wheel.size, 1);
  timers.pass(2000);
  assert.deepEqual(owner.firedAt, []);
  wheel.cancel(owner);
  wheel.cancel(owner);
  assert.equal(wheel.size, 0);
  timers.pass(60_000);
  assert.deepEqual(owner.firedAt, []);
});

const turns = () => new Promise((resolve) => setImmediate(resolve));

/** The event loop needs `ms` for one turn. */
async function stall(ms: number): Promise<void> {
  timers.stall(ms);
  await turns();
}

it('keeps real time if the event loop is late in each turn', async (t) => {
  for (const turnMs of [250, 700, 1500]) {
    await t.test(`by ${turnMs} ms`, async (t) => {
      timers = new ManualTimers();
      const wheel = startWheel(t);
      await stall(turnMs);
      const owner = new Owner();
      const beganMs = timers.clock();
      wheel.schedule(owner, 3000);
      while (owner.firedAt.length === 0) await stall(turnMs);
      const late = timers.clock() - beganMs - 3000;
      assert.ok(late >= 0 && late <= turnMs + 2 * TICK_MS, `${late} ms late`);
    });
  }
});

it('does not count a stall of the whole process, once', async (t) => {
  const wheel = startWheel(t);
  const owner = new Owner();
  wheel.schedule(owner, 1000);
  await stall(60_000);
  assert.ok(wheel.nowMs <= 2 * TICK_MS);
  assert.deepEqual(owner.firedAt, []);
  timers.pass(1200);
  assert.equal(owner.firedAt.length, 1);
  wheel.schedule(owner, 10_000);
  await stall(5000);
  await stall(5400);
  assert.equal(owner.firedAt.length, 2);
});

it('forgives a stall again after a minute', async (t) => {
  const wheel = startWheel(t);
  await stall(2000);
  timers.pass(61_000);
  const beforeMs = wheel.nowMs;
  await stall(30_000);
  assert.ok(wheel.nowMs - beforeMs <= 2 * TICK_MS);
});

it('lets sockets be read before it fires late timers', (t) => {
  const wheel = startWheel(t);
  const owner = new Owner();
  wheel.schedule(owner, 500);
  timers.stall(900);
  assert.deepEqual(owner.firedAt, []);
  // A read in this turn sees the time of now, and may move its deadline.
  assert.equal(wheel.nowMs, 900);
});

it('lets sockets be read between the timers of a thousand owners that are due at once', async (t) => {
  let workMs = 0;
  const wheel = new TimerWheel({ tickMs: TICK_MS, clock: () => timers.clock() + workMs, timers });
  wheel.start();
  t.after(() => wheel.stop());
  const owners = Array.from({ length: 1000 }, () => new Owner());
  let fired = 0;
  for (const owner of owners) {
    owner.onTimer = () => {
      fired++;
      workMs += 0.1;
      wheel.cancel(owners[999] as Owner);
    };
    wheel.schedule(owner, 500);
  }
  timers.pass(700);
  for (let before = 0; wheel.isBehind; before = fired) {
    assert.ok(fired - before <= 25, `${fired - before} in one turn`);
    await turns();
  }
  assert.equal(fired, 999, 'all but the one that was cancelled while it was due');
  assert.equal(wheel.size, 0);
});

it('wakes up when a timer is due, and about once a second while it waits for that', (t) => {
  let wakeUps = 0;
  const counted = (call: () => void) => () => {
    wakeUps++;
    call();
  };
  const wheel = new TimerWheel({
    tickMs: TICK_MS,
    clock: timers.clock,
    timers: {
      after: (ms, call) => timers.after(ms, counted(call)),
      everySecond: (call) => timers.everySecond(counted(call)),
    },
  });
  t.after(() => wheel.stop());
  wheel.start();
  timers.pass(10_000);
  assert.equal(wakeUps, 10, 'without timers');
  // As of devices that connected over 10 s and may be silent for two minutes.
  const owners = Array.from({ length: 100 }, () => new Owner());
  for (const owner of owners) {
    wheel.schedule(owner, 120_000);
    timers.pass(TICK_MS);
  }
  timers.pass(1000);
  wakeUps = 0;
  timers.pass(30_000);
  assert.ok(wakeUps <= 32, `${wakeUps} wake-ups in 30 s while no timer is due`);
  timers.pass(20_000);
  assert.ok(owners.every(({ firedAt }) => firedAt.length === 1));
  assert.ok(wakeUps <= 32 + 40, `${wakeUps} wake-ups with those that are beyond the wheel`);
});

it('keeps to its promise if the clock is read while it sleeps', async (t) => {
  const wheel = startWheel(t);
  for (const [readAfterMs, delayMs] of [
    [3050, 4000],
    [3950, 4000],
    [3999, 4000],
    [150, 1000],
  ] as const) {
    const owner = new Owner();
    const beganMs = timers.clock();
    wheel.schedule(owner, delayMs);
    let hasRead = false;
    while (owner.firedAt.length === 0) {
      timers.pass(1);
      const now = timers.clock();
      if (hasRead || now - beganMs < readAfterMs) continue;
      hasRead = true;
      assert.ok(Math.abs(wheel.nowMs - now) <= TICK_MS, `${wheel.nowMs} at ${now}`);
    }
    const late = timers.clock() - beganMs - delayMs;
    assert.ok(late >= 0 && late <= 2 * TICK_MS, `${late} ms late`);
  }
});

it('does not count a stall that began while it slept, however it hears of it', async (t) => {
  for (const how of ['its timer', 'a read'] as const) {
    await t.test(how, async (t) => {
      timers = new ManualTimers();
      const wheel = startWheel(t);
      const owner = new Owner();
      wheel.schedule(owner, 20_000);
      timers.pass(5000);
      // A socket may be read first.
      if (how === 'a read') timers.after(500, () => assert.ok(wheel.nowMs <= 6200, `${wheel.nowMs} ms`));
      await stall(60_000);
      assert.ok(wheel.nowMs <= 6200, `${wheel.nowMs} ms`);
      assert.deepEqual(owner.firedAt, []);
      timers.pass(16_000);
      assert.equal(owner.firedAt.length, 1);
    });
  }
});

it('forgets every timer when it stops', (t) => {
  const wheel = startWheel(t);
  const owners = Array.from({ length: 100 }, () => new Owner());
  owners.forEach((owner, index) => {
    wheel.schedule(owner, index * 37);
  });
  assert.equal(wheel.size, 100);
  wheel.stop();
  assert.equal(wheel.size, 0);
  assert.ok(owners.every(({ wheelSlot }) => wheelSlot === NOT_SCHEDULED));
});
