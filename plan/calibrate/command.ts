// `npm run plan -- calibrate`: measures the constants and puts them into plan/constants.json, part by part.
import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { withKafka } from '../../bench/command/run-command.ts';
import { commandText, machineText, packageVersion, thisMachine } from '../../bench/report/circumstances.ts';
import { measureDrain } from '../../bench/scenarios/drain.ts';
import { table } from '../../src/config/text-table.ts';
import {
  CONSTANT_NAMES,
  CONSTANTS,
  CONSTANTS_FILE,
  type ConstantsFile,
  type MeasuredConstant,
  PARTS,
  type Part,
  readConstantsFile,
} from '../constants.ts';
import { whole } from '../option-values.ts';
import { measureArrivals } from './connect.ts';
import { fromArrivals, fromDrains, fromMemory, fromSteady, type WorkedConstants } from './constants-from.ts';
import { measureMemory } from './memory.ts';
import type { CalibrationOptions } from './stage.ts';
import { measureSteady } from './steady.ts';

interface CalibrateOptions {
  readonly only: readonly Part[];
  readonly runs: number;
  readonly connections: number;
  readonly seconds: number;
  readonly keep: boolean;
}

const count = whole(1, 1_000_000);

export function calibrateCommand(signal: AbortSignal): Command {
  const only = new Option('--only <part>', `one of ${PARTS.join(', ')}; can be repeated`)
    .argParser(part)
    .default([], 'all');
  return new Command('calibrate')
    .description('Measures the constants of the plan on this machine, with a Kafka of its own.')
    .addOption(only)
    .option('--runs <number>', 'of each figure', count, 5)
    .option('--connections <number>', 'devices', count, 2_000)
    .option('--seconds <number>', 'length of each window', count, 2)
    .option('--no-keep', 'print the constants and leave plan/constants.json as it is')
    .addHelpText(
      'after',
      '\nAbout ten minutes on a machine that does nothing else. Kafka, devices and gateway share it.',
    )
    .action((options: CalibrateOptions) => calibrate(options, signal));
}

async function calibrate({ only, runs, connections, seconds, keep }: CalibrateOptions, signal: AbortSignal) {
  // Read first, so that a wrong file fails before minutes of measuring.
  const parts = PARTS.filter((one) => only.length === 0 || only.includes(one));
  const former = parts.length === PARTS.length ? undefined : readConstantsFile();
  const { about, worked } = await withKafka(signal, async (kafka) => {
    const options = { bootstrap: kafka.bootstrap, runs, connections, seconds, signal };
    let all: WorkedConstants = {};
    for (const one of parts) {
      console.error(`Measuring: ${one} ...`);
      all = { ...all, ...(await MEASURES[one](options)) };
    }
    return { about: kafka.about, worked: all };
  });
  const facts = {
    machine: machineText(thisMachine()),
    versions: `Sluice ${packageVersion()}, Node ${process.version}, ${about}`,
    at: new Date().toISOString(),
    runs,
  };
  const sizes = ['--runs', String(runs), '--connections', String(connections), '--seconds', String(seconds)];
  const measured = Object.fromEntries(
    CONSTANT_NAMES.flatMap((name) => {
      const figure = worked[name];
      if (figure === undefined) return [];
      const { unit, part: one } = CONSTANTS[name];
      const source = commandText('plan', ['calibrate', '--only', one, ...sizes]);
      return [[name, { ...rounded(figure), unit, source, ...facts } satisfies MeasuredConstant]];
    }),
  );
  console.log(resultTable(measured));
  if (!keep) return;
  const file = { constants: { ...former?.constants, ...measured } } as ConstantsFile;
  await writeFile(CONSTANTS_FILE, `${JSON.stringify(file, null, 2)}\n`);
  console.log('wrote plan/constants.json; npm run docs writes docs/scaling.md from it');
}

const MEASURES: Readonly<Record<Part, (options: CalibrationOptions) => Promise<WorkedConstants>>> = {
  steady: async (options) => fromSteady(await measureSteady(options)),
  connect: async (options) => fromArrivals(await measureArrivals(options)),
  memory: async (options) => fromMemory(await repeated(options.runs, () => measureMemory(options))),
  drain: async (options) => fromDrains(await repeated(options.runs, () => drainPerSecond(options))),
};

async function repeated<T>(runs: number, measure: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  while (results.length < runs) results.push(await measure());
  return results;
}

/** The scenario `drain-slow` of the bench: small batches, as a fleet in an outage makes them. */
async function drainPerSecond({ bootstrap, seconds, signal }: CalibrationOptions): Promise<number> {
  const how = { seconds, warmUpSeconds: 0, seq: true, connections: 100, devices: 0, settings: {} };
  const options = { ...how, bootstrap, profileDir: undefined, signal };
  return (await measureDrain(options, { fillPerSecond: 10_000 })).perSecond;
}

/** To four digits: more would be noise. */
function rounded({
  value,
  low,
  high,
}: {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}) {
  const round = (number: number): number => Number(number.toPrecision(4));
  return { value: round(value), low: round(low), high: round(high) };
}

function resultTable(measured: Readonly<Record<string, MeasuredConstant>>): string {
  return table(
    [
      ['constant', 'value', 'low', 'high', 'unit'],
      ...Object.entries(measured).map(([name, { value, low, high, unit }]) => [
        name,
        ...[value, low, high].map(String),
        unit,
      ]),
    ],
    ['constant', 'unit'],
  );
}

function part(name: string, before: readonly Part[]): Part[] {
  const known = PARTS.find((one) => one === name);
  if (known === undefined) throw new InvalidArgumentError(`allowed: ${PARTS.join(', ')}.`);
  return [...before, known];
}
