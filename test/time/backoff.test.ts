// Pauses of many partitions that share the signal of the stop.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pause } from '../../src/time/backoff.ts';

it('many pauses on one signal put no warning of Node into the log, and all end with it', async (t) => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  t.after(() => process.off('warning', note));
  const stop = new AbortController();
  const pauses = Promise.all(Array.from({ length: 30 }, () => pause(60_000, stop.signal)));
  await nextTurn();
  stop.abort();
  await pauses;
  assert.deepEqual(warnings, []);
});
