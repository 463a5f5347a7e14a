// The real gateway in a simulated world: it starts, serves devices, dies, recovers and stops, and the same seed gives the
// same history in this process and in another one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Played, playScenario } from './gateway-scenario.ts';

for (const processes of [1, 3]) {
  describe(`a simulated gateway with ${processes === 1 ? 'one process' : `${processes} processes`}`, () => {
    let first: Played;
    before(async () => {
      first = await playScenario({ seed: 1, processes });
    });

    it('stores what devices send, in its spool, over a kill -9 and a restart', () => {
      assert.deepEqual(first.stored, [79, 79, 79]);
      assert.ok(first.recovered > 0, 'the killed gateway left readings on the disk');
      assert.deepEqual(first.exitCodes, [null, 0]);
    });

    it('does the same again with the same seed, here and in another operating system process', async () => {
      const again = await playScenario({ seed: 1, processes });
      assert.deepEqual(again, first);
      const scenario = fileURLToPath(new URL('gateway-scenario.js', import.meta.url));
      const { stdout, stderr } = spawnSync(process.execPath, [scenario, 'play', '1', `${processes}`], {
        encoding: 'utf8',
      });
      assert.equal(stdout.trim(), first.hash, stderr);
    });

    it('does something else with another seed', async () => {
      const other = await playScenario({ seed: 2, processes });
      assert.notEqual(other.hash, first.hash);
      assert.deepEqual(other.stored, [79, 79, 79]);
    });
  });
}
