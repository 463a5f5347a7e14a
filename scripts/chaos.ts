// Runs random faults one after another on a real Kafka, and judges the records after each round (npm run chaos --
// --minutes 30 --seed N [--fault NAME ...]). Prints the seed first and a table last. The exit code is 1 if a round
// failed.
import { parseArgs } from 'node:util';
import type { Fault } from '../test/chaos/fault.ts';
import { FAULTS } from '../test/chaos/faults.ts';
import { Random } from '../test/chaos/random.ts';
import { Clusters, playRound, type RoundResult, resultTable } from '../test/chaos/round.ts';

const MAX_FAULTS_PER_ROUND = 3;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    fault: { type: 'string', multiple: true },
    help: { type: 'boolean', default: false },
  },
});
process.exitCode = await main();

async function main(): Promise<number> {
  const { fault: only, help } = values;
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  const faults = FAULTS.filter(({ name }) => only?.includes(name) ?? true);
  const unknown = only?.filter((name) => !FAULTS.some((fault) => fault.name === name)) ?? [];
  if (help || unknown.length > 0 || !(minutes >= 0) || !Number.isInteger(seed)) {
    const say = help ? console.log : console.error;
    for (const name of unknown) say(`there is no fault ${name}`);
    say('usage: npm run chaos -- [--minutes N] [--seed N] [--fault NAME ...], with any of these faults:');
    say(FAULTS.map(({ name }) => `  ${name}`).join('\n'));
    return help ? 0 : 2;
  }
  console.log(`chaos: seed ${seed}, ${minutes} minutes, faults: ${faults.map(({ name }) => name).join(' ')}`);
  const clusters = new Clusters();
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      interrupted = true;
      console.error(`${signal}: this round is the last`);
    });
  }
  const results: RoundResult[] = [];
  try {
    const random = new Random(seed);
    const until = performance.now() + minutes * 60_000;
    // Each fault comes once before faults are chosen at random.
    const first = shuffled(faults, random);
    do {
      const chosen = roundOf(first.pop() ?? random.pick(faults), { faults, random });
      const cluster = await clusters.get(chosen[0] ?? { brokers: 1 });
      const result = await playRound(cluster, { faults: chosen, seed: random.between(1, 2 ** 30) });
      results.push(result);
      report(result);
    } while (!interrupted && performance.now() < until);
  } finally {
    await clusters.stop();
  }
  console.log(`\nseed ${seed}, ${results.length} rounds\n\n${resultTable(results)}`);
  return results.some(({ wrong }) => wrong.length > 0) ? 1 : 0;
}

/** The fault, and at random others that can follow it on the same gateway. */
function roundOf(fault: Fault, { faults, random }: { faults: readonly Fault[]; random: Random }): Fault[] {
  const others = faults.filter(
    ({ alone, brokers, login }) => !alone && brokers === fault.brokers && login === fault.login,
  );
  const chosen = [fault];
  const count = fault.alone ? 1 : random.between(1, MAX_FAULTS_PER_ROUND);
  while (chosen.length < count) chosen.push(random.pick(others));
  return chosen;
}

function report({ faults, seconds, skipped, wrong }: RoundResult): void {
  const word = skipped === undefined ? (wrong.length === 0 ? 'ok' : 'FAILED') : `SKIPPED: ${skipped}`;
  console.log(`${new Date().toISOString()} ${faults}: ${word} (${seconds.toFixed(0)} s)`);
  for (const text of wrong) console.log(`  ${text}`);
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
