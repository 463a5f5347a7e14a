import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LagWindow, lastKnown, startProcessStats } from '../../src/admin/process-stats.ts';

test('the figures of this process can be read, also after stop()', () => {
  const stats = startProcessStats();
  for (const stop of [() => stats.stop(), () => {}]) {
    const { residentBytes, heapUsedBytes, cpuSeconds, eventLoopLagP99Seconds } = stats.read();
    assert.ok(residentBytes > 1e6);
    assert.ok(heapUsedBytes > 1e6);
    assert.ok(cpuSeconds > 0);
    assert.equal(eventLoopLagP99Seconds, 0);
    stop();
  }
});

test('a reading that fails gives the last known value', () => {
  const readings = [() => 5, () => assert.fail('EMFILE'), () => 7];
  const read = lastKnown(() => readings.shift()?.() ?? 0);
  assert.deepEqual([read(), read(), read()], [5, 5, 7]);
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
