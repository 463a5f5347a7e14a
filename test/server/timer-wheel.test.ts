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

it('counts a stall of the event loop as two ticks at most', (t) => {
  const wheel = startWheel(t);
  const owner = new Owner();
  wheel.schedule(owner, 1000);
  clockMs += 60_000;
  mock.timers.tick(TICK_MS);
  assert.ok(wheel.nowMs <= 2 * TICK_MS);
  assert.deepEqual(owner.firedAt, []);
  pass(1200);
  assert.equal(owner.firedAt.length, 1);
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
