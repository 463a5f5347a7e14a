import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission, MAX_RATE_WAIT_MS } from '../../src/server/admission.ts';
import { KeyRates } from '../../src/server/key-rates.ts';

const NO_LIMITS = { maxConnections: 1000, maxPerAddress: 0, acceptsPerSecond: 0 };
const PLACE = { afterMs: 0 };

test('a cap on all connections is exact, and a released place is free again', () => {
  const admission = new Admission({ ...NO_LIMITS, maxConnections: 2 });
  assert.deepEqual([admission.admit('10.0.0.1'), admission.admit('10.0.0.2')], [PLACE, PLACE]);
  assert.deepEqual(admission.admit('10.0.0.3'), { reason: 'connections' });
  admission.release('10.0.0.1');
  assert.deepEqual(admission.admit('10.0.0.3'), PLACE);
  assert.equal(admission.active, 2);
});

test('a cap on an address counts its whole /64, and no other address', () => {
  const admission = new Admission({ ...NO_LIMITS, maxPerAddress: 2 });
  assert.deepEqual(admission.admit('2001:db8::1'), PLACE);
  assert.deepEqual(admission.admit('2001:db8::ffff:1'), PLACE);
  assert.deepEqual(admission.admit('2001:db8::2'), { reason: 'address' });
  assert.deepEqual(admission.admit('2001:db8:0:1::2'), PLACE);
  assert.deepEqual([admission.admit('::ffff:10.0.0.1'), admission.admit('10.0.0.1')], [PLACE, PLACE]);
  assert.deepEqual(admission.admit('::ffff:10.0.0.1'), { reason: 'address' });
  admission.release('2001:db8::1');
  assert.deepEqual(admission.admit('2001:db8::2'), PLACE);
});

test('an address above its rate waits for its turn, others do not, and no wait is longer than a minute', () => {
  const admission = new Admission({ ...NO_LIMITS, acceptsPerSecond: 2 });
  const waits = Array.from({ length: 200 }, () => admission.admit('10.0.0.1'));
  const times = waits.flatMap((one) => ('afterMs' in one ? one.afterMs : []));
  assert.deepEqual(times.slice(0, 2), [0, 0]);
  for (const [n, ms] of times.slice(2, 10).entries()) assert.ok(Math.abs(ms - 500 * (n + 1)) < 100, `${ms}`);
  assert.ok(Math.max(...times) <= MAX_RATE_WAIT_MS);
  assert.deepEqual(waits.at(-1), { reason: 'rate' });
  // A refused connection has no place.
  assert.equal(admission.active, times.length);
  assert.deepEqual(admission.admit('10.0.0.2'), PLACE);
});

test('a rate forgets keys without debt', () => {
  let now = 0;
  const rates = new KeyRates({ intervalMs: 100, burst: 1, now: () => now });
  for (let n = 0; n < 1000; n++) assert.equal(rates.take(`key ${n}`, 0), 0);
  assert.equal(rates.size, 1000);
  assert.ok(rates.take('key 0', 0) > 0);
  now = 1000;
  assert.equal(rates.take('key 0', 0), 0);
  assert.equal(rates.size, 1);
});
