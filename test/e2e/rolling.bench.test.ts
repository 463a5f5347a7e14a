// Measures a rolling restart: devices leave a drained gateway and come back to another one, without a storm.
//   ROLLING_DEVICES=10000 npm run test:bench -- rolling     takes two minutes
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ratesText, rollingRestart } from './rolling.ts';

const DEVICES = Number(process.env.ROLLING_DEVICES ?? 1_000);
/** 500 devices a second, as SHUTDOWN_SPREAD=20s has it with 10,000. */
const SPREAD_SECONDS = DEVICES / 500;

for (const seconds of [SPREAD_SECONDS, 0]) {
  test(`${DEVICES} devices leave over SHUTDOWN_SPREAD=${seconds}s and come back: no second has twice the mean rate`, async (t) => {
    const { exitCode, leaving, returning, failed } = await rollingRestart(t, {
      devices: DEVICES,
      spread: `${seconds}s`,
    });
    t.diagnostic(`leave: ${ratesText(leaving)}`);
    t.diagnostic(`come back: ${ratesText(returning)}`);
    assert.deepEqual(failed, []);
    assert.equal(exitCode, 0);
    // Without SHUTDOWN_SPREAD all leave at once, by wish.
    for (const rates of seconds === 0 ? [returning] : [leaving, returning]) {
      assert.equal(rates.count, DEVICES);
      assert.ok(rates.peak <= 2 * rates.mean, ratesText(rates));
    }
    if (seconds > 0) assert.ok(Math.abs(leaving.seconds - seconds) < 0.2 * seconds + 0.5, ratesText(leaving));
  });
}
