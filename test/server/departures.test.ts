// When devices are told to go, and when they may come back, so that a fleet never leaves or returns as a storm.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Departures, reconnectAfterMs, returnWindowMs } from '../../src/server/departures.ts';
import { waitFor } from '../support/wait.ts';

/** The most events in any second, as a multiple of the mean. */
function peakOf(timesMs: readonly number[]): number {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const spanMs = (sorted.at(-1) ?? 0) - (sorted[0] ?? 0);
  const perSecond = timesMs.length / Math.max(1, spanMs / 1000);
  let peak = 0;
  for (let from = 0, to = 0; to < sorted.length; to++) {
    while ((sorted[to] ?? 0) - (sorted[from] ?? 0) >= 1000) from++;
    peak = Math.max(peak, to - from + 1);
  }
  return peak / perSecond;
}

describe('devices that are told to go', () => {
  for (const [devices, overMs] of [
    [500, 4000],
    [500, 60_000],
    [10_000, 0],
    [10_000, 20_000],
    [10_000, 45_000],
    [10_000, 50_000],
    [10_000, 55_000],
    [100_000, 60_000],
  ] as const) {
    it(`come back with no second far above the mean (${devices} over ${overMs} ms)`, () => {
      const plan = { overMs, returnMs: returnWindowMs(devices) };
      const all = Array.from({ length: devices }, (_, index) => {
        const delayMs = reconnectAfterMs((index + Math.random()) / devices, plan);
        assert.ok(delayMs >= 500 && delayMs <= 300_000, `${delayMs}`);
        return (index / devices) * overMs + delayMs;
      });
      assert.ok(peakOf(all) < 1.5, `${peakOf(all)}`);
    });
  }

  it('get more time to come back the more they are, up to 5 minutes', () => {
    const longest = (devices: number) => 500 + returnWindowMs(devices);
    assert.deepEqual([1, 1000, 10_000, 60_000, 1e6].map(longest), [5000, 5000, 50_000, 300_000, 300_000]);
  });

  it('are told one after the other over the time, each once', async () => {
    const toldMs: number[] = [];
    const startMs = performance.now();
    const leavers = Array.from({ length: 200 }, () => ({
      depart: (code: string) => {
        assert.equal(code, 'draining');
        toldMs.push(performance.now() - startMs);
      },
    }));
    const departures = new Departures();
    departures.begin(leavers, { overMs: 400, returnMs: 4500 });
    await waitFor('all are told', () => toldMs.length === 200);
    // Timers may be late and are never early.
    for (const [index, ms] of toldMs.entries())
      assert.ok(ms > (index / 200) * 400 - 20, `${index}: ${ms} ms`);
    departures.stop();
  });
});

describe('connections of the same age', () => {
  it('are told in slices of a turn, and those that have ended are not', async () => {
    const told: number[] = [];
    const departures = new Departures();
    const leavers = Array.from({ length: 1000 }, (_, index) => ({ depart: () => void told.push(index) }));
    for (const leaver of leavers) departures.add(leaver);
    for (const leaver of leavers.slice(500)) departures.forget(leaver);
    const perTurn: number[] = [];
    while (told.length < 500) {
      const before = told.length;
      await new Promise((resolve) => setImmediate(resolve));
      perTurn.push(told.length - before);
    }
    assert.deepEqual(
      told,
      Array.from({ length: 500 }, (_, index) => index),
    );
    assert.ok(Math.max(...perTurn) <= 256, `${perTurn}`);
  });
});
