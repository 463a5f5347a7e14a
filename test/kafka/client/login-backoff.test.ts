// How often a login that is refused is tried again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoginBackoff } from '../../../src/kafka/client/login-backoff.ts';

/** A gate whose login was refused at 0 ms, and its clock. */
function refusedGate() {
  const clock = { ms: 0 };
  const gate = new LoginBackoff(() => clock.ms);
  gate.enter(true);
  gate.refused(new Error('refused'));
  return { gate, clock };
}

test('logins that work are not held back', () => {
  const gate = new LoginBackoff(() => 0);
  for (let i = 0; i < 100; i++) {
    gate.enter(false);
    gate.accepted();
  }
  assert.equal(gate.isRefused, false);
});

test('however many ask, refused logins are tried less than once a second, and at least every three', () => {
  const { gate, clock } = refusedGate();
  const tries: number[] = [];
  for (; clock.ms < 60_000; clock.ms += 10) {
    for (let asking = 0; asking < 50; asking++) {
      try {
        gate.enter(true);
      } catch {
        continue;
      }
      tries.push(clock.ms);
      gate.refused(new Error('refused'));
    }
  }
  const gaps = tries.map((ms, i) => ms - (tries[i - 1] ?? 0));
  assert.ok(Math.min(...gaps) > 1000 && Math.max(...gaps) <= 3010, gaps.join(' '));
});

test('while one tries to log in again, others get the refusal', () => {
  const { gate, clock } = refusedGate();
  clock.ms = 3000;
  gate.enter(true);
  assert.throws(() => gate.enter(true), /refused/);
  gate.accepted();
  gate.enter(true);
});

test('a try that met no broker leaves its turn to the next, and does not shorten a pause', () => {
  const { gate, clock } = refusedGate();
  clock.ms = 3000;
  gate.enter(true);
  gate.notTried();
  gate.enter(true);
  gate.refused(new Error('refused again'));
  gate.notTried();
  assert.throws(() => gate.enter(true), /refused again/);
});

test('who may not retry waits for somebody else’s success', () => {
  const { gate, clock } = refusedGate();
  clock.ms = 3000;
  assert.throws(() => gate.enter(false), /refused/);
  gate.enter(true);
  gate.accepted();
  gate.enter(false);
});
