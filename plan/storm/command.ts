// The command `npm run plan -- storm`: plays how a fleet comes back, with several rules, and draws the chart.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { commandText } from '../../bench/report/circumstances.ts';
import { Child } from '../../load/processes/child.ts';
import { readConstantsFile, valuesOf } from '../constants.ts';
import { whole } from '../option-values.ts';
import type { PlayCalls } from './play-process.ts';
import { FLEET, type Fleet, type Play, playsOf, SCENARIO_NAMES } from './plays.ts';
import type { Played } from './results.ts';

const PLAY_PROCESS = new URL('play-process.js', import.meta.url);

interface Options extends Omit<Fleet, 'tls' | 'rttMs'> {
  readonly plain: boolean;
  readonly rtt: number;
  readonly scenario?: string;
  readonly rule?: string;
  readonly chart?: string;
  readonly report: boolean;
}

/** @param signal ends the simulation */
export function stormCommand(signal: AbortSignal): Command {
  return new Command('storm')
    .description('Simulate how a fleet comes back after it has lost its connections, and compare rules.')
    .option('--devices <number>', 'devices of the fleet, up to 4,000,000', whole(1, 4_000_000), FLEET.devices)
    .option('--gateways <number>', 'gateways, each on a machine of its own', whole(1, 1_000), FLEET.gateways)
    .option('--processes <number>', 'TCP_PROCESSES of each gateway', whole(1, 256), FLEET.processes)
    .option('--cores <number>', 'cores of each machine', whole(1, 256), FLEET.cores)
    .option('--rtt <ms>', 'round trip between device and gateway', whole(0, 10_000), FLEET.rttMs)
    .option('--plain', 'without TLS', false)
    .option('--seed <number>', 'of all that is random', whole(0, 2 ** 31), FLEET.seed)
    .addOption(new Option('--scenario <name>', 'only this way to lose connections').choices(SCENARIO_NAMES))
    .option('--rule <name>', 'only plays of this name, such as protocol')
    .option('--chart <file>', 'draw the chart into this file')
    .option('--report', 'put the figures into docs/storm.json, and draw docs/images/storm.svg', false)
    .action((options: Options, command: Command) => storm(options, signal, command));
}

async function storm(options: Options, signal: AbortSignal, command: Command): Promise<void> {
  const { scenario, rule, chart, report } = options;
  if (report && (scenario !== undefined || rule !== undefined))
    command.error('error: --report needs all plays, so give neither --scenario nor --rule with it');
  const { CHART_FILE, writeStormFile } = await import('./results.ts');
  const { stormChart } = await import('./chart.ts');
  const { stormTables } = await import('./table.ts');
  const constants = readConstantsFile();
  const { devices, gateways, processes, cores, seed, plain, rtt } = options;
  const fleet: Fleet = { devices, gateways, processes, cores, tls: !plain, rttMs: rtt, seed };
  const isWanted = (play: Play): boolean =>
    (scenario === undefined || play.scenario === scenario) && (rule === undefined || play.name === rule);
  const indexes = playsOf(fleet, valuesOf(constants)).flatMap((play, index) =>
    isWanted(play) ? [index] : [],
  );
  if (indexes.length === 0)
    command.error(`error: no play is called ${rule}; without --rule all are played, with their names`);
  const plays = await playAll(fleet, indexes, signal);
  console.log(stormTables(plays));
  const file = {
    command: commandText('plan', process.argv.slice(2)),
    fleet,
    constantsAt: constants.constants.handshakeUs.at,
    plays,
  };
  if (chart !== undefined) writeFileSync(chart, stormChart(file));
  if (!report) return;
  writeStormFile(file);
  writeFileSync(CHART_FILE, stormChart(file));
}

/** All cores play, each a storm at a time. */
async function playAll(fleet: Fleet, indexes: readonly number[], signal: AbortSignal): Promise<Played[]> {
  const left = [...indexes.entries()];
  const plays: Played[] = [];
  const one = async (): Promise<void> => {
    const child = new Child<PlayCalls>(PLAY_PROCESS, { signal });
    try {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [place, index] = next;
        const startMs = performance.now();
        const play = await child.call('play', { fleet, index });
        plays[place] = play;
        const seconds = (performance.now() - startMs) / 1000;
        console.error(`${play.scenario}, ${play.name}: ${seconds.toFixed(1)} s`);
      }
    } finally {
      await child.stop();
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), indexes.length) }, one));
  return plays;
}
