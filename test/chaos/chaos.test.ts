// The most telling faults, each with its own gateway and topic. All of them, for as long as wanted: npm run chaos.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { clusterTest } from '../support/kafka.ts';
import { FAULTS } from './faults.ts';
import { Clusters, playRound, type RoundResult, resultTable } from './round.ts';

const SEED = 20_261_121;
const ONE_BROKER = [
  'broker-kill',
  'all-frozen',
  'answer-lost',
  'slow-drain',
  'too-large',
  'absent-at-start',
  'gateway-kill-spool',
  'process-kill',
  'sigterm-frozen',
];
/** What was proved to lose records once. */
const KEEPS = ['clock-ahead', 'sigterm-full'];
const THREE_BROKERS = ['leader-kill'];

clusterTest(`nothing confirmed is lost, doubled or out of order through faults (seed ${SEED})`, async (t) => {
  // A killed broker is let in again only when its former session has ended.
  const properties = { 'broker.session.timeout.ms': '4000', 'broker.heartbeat.interval.ms': '1000' };
  await play(t, { names: ONE_BROKER, clusters: new Clusters({ quickJit: true, properties }) });
});

clusterTest(
  `nothing is given up that Kafka would take later, and nothing accepted is lost by a stop (seed ${SEED})`,
  async (t) => {
    await play(t, { names: KEEPS, clusters: new Clusters({ quickJit: true }) });
  },
);

clusterTest(`a leader dies, and no more than its 15 seconds are lost (seed ${SEED})`, async (t) => {
  await play(t, { names: THREE_BROKERS, clusters: new Clusters({ quickJit: true }) });
});

async function play(
  t: TestContext,
  { names, clusters }: { names: readonly string[]; clusters: Clusters },
): Promise<void> {
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
}
