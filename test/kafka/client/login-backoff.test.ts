// How often a refused login is tried again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoginBackoff } from '../../../src/kafka/client/login-backoff.ts';

/** A back-off whose login was refused at 0 ms, and its clock. */
function afterRefusal() {
  const clock = { ms: 0 };
  const backoff = new LoginBackoff(() => clock.ms);
  backoff.enter(true);
  backoff.refused(new Error('refused'));
  return { backoff, clock };
}

test('logins that work are never delayed', () => {
  const backoff = new LoginBackoff(() => 0);
  for (let i = 0; i < 100; i++) {
    backoff.enter(false);
    backoff.accepted();
  }
  assert.equal(backoff.refusal, undefined);
});

test('refused logins are tried less than once a second, and at least every three seconds', () => {
  const { backoff, clock } = afterRefusal();
  const tries: number[] = [];
  for (; clock.ms < 60_000; clock.ms += 10) {
    for (let caller = 0; caller < 50; caller++) {
      try {
        backoff.enter(true);
      } catch {
        continue;
      }
      tries.push(clock.ms);
      backoff.refused(new Error('refused'));
    }
  }
  const gaps = tries.map((ms, i) => ms - (tries[i - 1] ?? 0));
  assert.ok(Math.min(...gaps) > 1000 && Math.max(...gaps) <= 3010, gaps.join(' '));
});

test('while one connection tries to log in again, the others get the refusal', () => {
  const { backoff, clock } = afterRefusal();
  clock.ms = 3000;
  backoff.enter(true);
  assert.throws(() => backoff.enter(true), /refused/);
  backoff.accepted();
  backoff.enter(true);
});

test('a try that reached no broker lets the next one try, and does not shorten a pause', () => {
  const { backoff, clock } = afterRefusal();
  clock.ms = 3000;
  backoff.enter(true);
  backoff.notTried();
  backoff.enter(true);
  backoff.refused(new Error('refused again'));
  backoff.notTried();
  assert.throws(() => backoff.enter(true), /refused again/);
});

test('a caller that may not retry waits for the success of another', () => {
  const { backoff, clock } = afterRefusal();
  clock.ms = 3000;
  assert.throws(() => backoff.enter(false), /refused/);
  backoff.enter(true);
  backoff.accepted();
  backoff.enter(false);
});
