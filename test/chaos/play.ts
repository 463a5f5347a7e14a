// Plays rounds of faults as tests. The test files in this folder decide which ones `npm test` plays.
import assert from 'node:assert/strict';
import type { KafkaOptions } from '../../scripts/kafka/cluster.ts';
import { clusterTest } from '../support/kafka.ts';
import type { Fault } from './fault.ts';
import { FAULTS } from './faults.ts';
import { Clusters, playRound, type RoundResult, resultTable } from './round.ts';

const SEED = 20_261_121;

/** The faults of a round, in turn on one gateway and topic. */
type Round = readonly string[];

/** A test that plays one round after the other, each as a subtest with the same seed. */
export function playTest(title: string, rounds: readonly Round[], options: KafkaOptions = {}): void {
  clusterTest(`${title} (seed ${SEED})`, async (t) => {
    const clusters = new Clusters({ quickJit: true, ...options });
    const results: RoundResult[] = [];
    t.after(() => clusters.stop());
    for (const names of rounds) {
      const faults = names.map((name) => faultOf(name));
      const [first] = faults;
      assert.ok(first && (faults.length === 1 || faults.every(({ alone }) => !alone)), names.join());
      await t.test(names.join(', '), async (t) => {
        const result = await playRound(await clusters.get(first), { faults, seed: SEED });
        results.push(result);
        assert.deepEqual(result.wrong, []);
        if (result.skipped === undefined) return;
        assert.notEqual(process.env.SLUICE_REQUIRE_TOOLS, '1', result.skipped);
        console.error(`SKIPPED: ${names.join(', ')}: ${result.skipped}`);
        t.skip(result.skipped);
      });
    }
    t.diagnostic(`seed ${SEED}\n${resultTable(results)}`);
  });
}

function faultOf(name: string): Fault {
  const fault = FAULTS.find((candidate) => candidate.name === name);
  assert.ok(fault, name);
  return fault;
}
