// When a connection is replaced because its login ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { saslSession } from '../../../src/kafka/client/sasl-session.ts';

const HOUR_MS = 3_600_000;
const session = (lifetimeMs: number | undefined, random = 0, requestTimeoutMs = 10_000) =>
  saslSession(lifetimeMs, { startedAtMs: 1000, requestTimeoutMs }, () => random);

test('a login without end is never renewed', () => {
  for (const lifetime of [undefined, 0]) {
    assert.deepEqual(session(lifetime), { renewAtMs: Infinity, endsAtMs: Infinity });
  }
});

test('a long login is renewed after 80 to 90 % of its time, and nothing is sent in the last 5 %', () => {
  assert.deepEqual(session(HOUR_MS, 0), { renewAtMs: 1000 + 0.9 * HOUR_MS, endsAtMs: 1000 + 0.95 * HOUR_MS });
  assert.equal(session(HOUR_MS, 1).renewAtMs, 1000 + 0.8 * HOUR_MS);
});

test('a short login is renewed one request timeout before its end, but not before half of its time', () => {
  assert.equal(session(60_000, 0, 20_000).renewAtMs, 41_000);
  assert.equal(session(60_000, 0, 40_000).renewAtMs, 31_000);
});
