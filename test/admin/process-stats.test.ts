import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastKnown, startProcessStats } from '../../src/admin/process-stats.ts';

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
