import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SCRIPTS } from './scripts.ts';
import { playReal, playSimulated } from './stage.ts';

describe('simulated sockets behave as real ones', () => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    it(name, async () => {
      assert.deepEqual(await playSimulated(script), await playReal(script));
    });
  }
});
