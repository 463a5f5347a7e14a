import assert from 'node:assert/strict';
import { beforeEach, it, mock, type TestContext } from 'node:test';
import { NOT_SCHEDULED, type TimerOwner, TimerWheel } from '../../src/server/timer-wheel.ts';

const TICK_MS = 100;
let clockMs = 0;

class Owner implements TimerOwner {
  wheelSlot = NOT_SCHEDULED;
  readonly firedAt: number[] = [];
  onTimer(nowMs: number): void {
    this.firedAt.push(nowMs);
  }
}

function startWheel(t: TestContext): TimerWheel {
  mock.timers.enable({ apis: ['setInterval'] });
  const wheel = new TimerWheel({ tickMs: TICK_MS, clock: () => clockMs });
  wheel.start();
  t.after(() => {
    wheel.stop();
    mock.timers.reset();
  });
  return wheel;
}

function pass(ms: number): void {
  for (let passed = 0; passed < ms; passed += TICK_MS) {
    clockMs += TICK_MS;
    mock.timers.tick(TICK_MS);
  }
}

beforeEach(() => {
  clockMs = 0;
});

it('fires once, not early and at most two ticks late', (t) => {
  const wheel = startWheel(t);
  const owner = new Owner();
  wheel.schedule(owner, 1000);
  pass(1000);
  assert.deepEqual(owner.firedAt, []);
  pass(2 * TICK_MS);
  assert.equal(owner.firedAt.length, 1);
  pass(10_000);
  assert.equal(owner.firedAt.length, 1);
  assert.equal(wheel.size, 0);
});

it('fires early if the delay is longer than the wheel, and the owner has to ask again', (t) => {
  const wheel = startWheel(t);
  const owner = new Owner();
  wheel.schedule(owner, 3_600_000);
  pass(60_000);
  assert.equal(owner.firedAt.length, 1);
});

it('keeps one timer for each owner: schedule replaces it, cancel removes it', (t) => {
  const wheel = startWheel(t);
  const owner = new Owner();
  wheel.schedule(owner, 500);
  wheel.schedule(owner, 5000);
  assert.equal(wheel.size, 1);
  pass(2000);
  assert.deepEqual(owner.firedAt, []);
  wheel.cancel(owner);
  wheel.cancel(owner);
  assert.equal(wheel.size, 0);
  pass(60_000);
  assert.deepEqual(owner.firedAt, []);
});

const turns = () => new Promise((resolve) => setImmediate(resolve));

/** The event loop needs `ms` for one turn. */
async function stall(ms: number): Promise<void> {
  clockMs += ms;
  mock.timers.tick(TICK_MS);
  await turns();
}

it('keeps real time if the event loop is late in each turn', async (t) => {
  for (const turnMs of [250, 700, 1500]) {
    await t.test(`by ${turnMs} ms`, async (t) => {
      clockMs = 0;
      const wheel = startWheel(t);
      await stall(turnMs);
      const owner = new Owner();
      const beganMs = clockMs;
      wheel.schedule(owner, 3000);
      while (owner.firedAt.length === 0) await stall(turnMs);
      const late = clockMs - beganMs - 3000;
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
  pass(1200);
  assert.equal(owner.firedAt.length, 1);
  wheel.schedule(owner, 10_000);
  await stall(5000);
  await stall(5400);
  assert.equal(owner.firedAt.length, 2);
});

it('forgives a stall again after a minute', async (t) => {
  const wheel = startWheel(t);
  await stall(2000);
  pass(61_000);
  const beforeMs = wheel.nowMs;
  await stall(30_000);
  assert.ok(wheel.nowMs - beforeMs <= 2 * TICK_MS);
});

it('lets sockets be read before it fires late timers', (t) => {
  const wheel = startWheel(t);
  const owner = new Owner();
  wheel.schedule(owner, 500);
  clockMs += 900;
  mock.timers.tick(TICK_MS);
  assert.deepEqual(owner.firedAt, []);
  // A read in this turn sees the time of now, and may move its deadline.
  assert.equal(wheel.nowMs, 900);
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
