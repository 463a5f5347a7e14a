import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readConstants } from '../../../plan/constants.ts';
import { FLEET, playsOf } from '../../../plan/storm/plays.ts';

const MAX_MS = 60_000;

describe('a million devices', () => {
  it('are simulated in less than a minute, and all of them come back', () => {
    const play = playsOf(FLEET, readConstants()).find(
      ({ scenario, name }) => scenario === 'restart' && name === 'protocol',
    );
    const startMs = performance.now();
    const result = play?.run();
    const tookMs = performance.now() - startMs;
    assert.equal(result?.back, 1_000_000);
    assert.ok(tookMs < MAX_MS, `${tookMs} ms`);
  });
});
