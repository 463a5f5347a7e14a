// Upgrades and rolls back a gateway with readings on its disk, with the builds of two commits and a real Kafka that is stopped
// and started (npm run upgrade-test -- --from 2676aa6 --to HEAD). Prints the outcomes. The exit code is 1 if a play failed.
import { parseArgs } from 'node:util';
import { type Build, buildOf, NoHistoryError, THIS_BUILD } from '../test/upgrade/builds.ts';
import { FORMER } from '../test/upgrade/former.ts';
import type { KafkaOutage, Play } from '../test/upgrade/play.ts';
import { PLAYS } from '../test/upgrade/plays.ts';
import { startKafka } from './kafka/cluster.ts';

const USAGE = `usage: npm run upgrade-test -- [--from COMMIT ...] [--to COMMIT] [--play NAME ...] [--list]
  --from   the older build. Default: each of ${FORMER.map(({ commit }) => commit).join(', ')}
  --to     the newer build. Default: this checkout as it is
  --play   only this play. --list shows them`;

process.exitCode = await main();

async function main(): Promise<number> {
  let options: ReturnType<typeof parse>;
  try {
    options = parse();
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const { help, list, from = FORMER.map(({ commit }) => commit), to, play: names } = options;
  if (help || list) {
    console.log(help ? USAGE : PLAYS.map(({ name, about }) => `${name}\n  ${about}`).join('\n'));
    return 0;
  }
  const unknown = names?.filter((name) => !PLAYS.some((play) => play.name === name)) ?? [];
  if (unknown.length > 0) {
    console.error(`there is no play ${unknown.join(', ')}\n${USAGE}`);
    return 2;
  }
  let builds: { from: Build[]; to: Build };
  try {
    builds = { from: from.map(buildOf), to: to === undefined ? THIS_BUILD : buildOf(to) };
  } catch (error) {
    if (!(error instanceof NoHistoryError)) throw error;
    console.error(error.message);
    return 2;
  }
  const plays = PLAYS.filter(({ name }) => names?.includes(name) ?? true);
  return (await playAll(builds, plays)) ? 0 : 1;
}

function parse() {
  return parseArgs({
    options: {
      from: { type: 'string', multiple: true },
      to: { type: 'string' },
      play: { type: 'string', multiple: true },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values;
}

async function playAll(
  { from, to }: { from: readonly Build[]; to: Build },
  plays: readonly Play[],
): Promise<boolean> {
  console.error('Starting a Kafka ...');
  const cluster = await startKafka();
  const [broker] = cluster.brokers;
  if (broker === undefined) throw new Error('the cluster has no broker');
  const kafka: KafkaOutage = {
    address: cluster.bootstrap,
    bootstrap: cluster.bootstrap,
    away: () => broker.stop('SIGTERM'),
    back: async () => {
      if (!(await broker.isRunning())) await broker.start();
    },
  };
  let areGood = true;
  try {
    for (const old of from) {
      console.log(`\nOLD = ${old.name}, NEW = ${to.name}`);
      for (const play of plays) areGood = (await tell(play, { from: old, to, kafka })) && areGood;
    }
  } finally {
    await cluster.stop();
  }
  return areGood;
}

async function tell(play: Play, versions: Parameters<Play['run']>[0]): Promise<boolean> {
  const startMs = performance.now();
  const took = () => `${((performance.now() - startMs) / 1000).toFixed(0)} s`;
  try {
    console.log(`${play.name}: ${await play.run(versions)} (${took()})`);
    return true;
  } catch (error) {
    console.log(`${play.name}: FAILED (${took()})\n${(error as Error).message}`);
    return false;
  }
}
