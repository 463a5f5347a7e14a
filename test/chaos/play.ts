// Plays rounds of faults as tests. The test files in this folder decide which ones `npm test` plays.
import assert from 'node:assert/strict';
import type { KafkaOptions } from '../../scripts/kafka/cluster.ts';
import { clusterTest } from '../support/kafka.ts';
import { FAULTS } from './faults.ts';
import { Clusters, playRound, type RoundResult, resultTable } from './round.ts';

const SEED = 20_261_121;

/** A test that plays one round after the other, each as a subtest with the same seed. */
export function playTest(title: string, names: readonly string[], options: KafkaOptions = {}): void {
  clusterTest(`${title} (seed ${SEED})`, async (t) => {
    const clusters = new Clusters({ quickJit: true, ...options });
    const results: RoundResult[] = [];
    t.after(() => clusters.stop());
    for (const name of names) {
      const fault = FAULTS.find((candidate) => candidate.name === name);
      assert.ok(fault, name);
      await t.test(name, async (t) => {
        const result = await playRound(await clusters.get(fault), { faults: [fault], seed: SEED });
        results.push(result);
        assert.deepEqual(result.wrong, []);
        if (result.skipped === undefined) return;
        assert.notEqual(process.env.SLUICE_REQUIRE_TOOLS, '1', result.skipped);
        console.error(`SKIPPED: ${name}: ${result.skipped}`);
        t.skip(result.skipped);
      });
    }
    t.diagnostic(`seed ${SEED}\n${resultTable(results)}`);
  });
}
