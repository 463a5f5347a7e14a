// The command `npm run scaling`: measures throughput, CPU a message and p99 while one setting at a time is varied.
import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { count } from '../../load/command/parsers.ts';
import { SectionError, writeSection } from '../../scripts/docs/section.ts';
import { KafkaUnavailableError } from '../../scripts/kafka/runtime.ts';
import { positive, setting } from '../command/options.ts';
import { runCommand, withKafka } from '../command/run-command.ts';
import { circumstances } from '../report/circumstances.ts';
import { chartSvg } from './chart.ts';
import { DIMENSIONS, type DimensionName } from './dimensions.ts';
import { resultText, sectionText } from './report.ts';
import type { ScalingResult } from './result.ts';
import { measureAll } from './turns.ts';

interface Options {
  readonly only: readonly DimensionName[];
  readonly runs: number;
  readonly seconds: number;
  readonly rate: number;
  readonly perWrite: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly json?: string;
  readonly report?: string | true;
  readonly from?: string;
}

// From dist/bench/scaling.
const PAGE = fileURLToPath(new URL('../../../docs/benchmarks.md', import.meta.url));
const CHART = 'scaling.svg';
const names = DIMENSIONS.map(({ name }) => name);

const interrupt = new AbortController();

const program = new Command('npm run scaling --')
  .description('Throughput, CPU a message and p99 of the gateway, with one setting varied at a time.')
  .option('--only <names>', `of ${names.join(', ')}, separated by commas (default: all)`, dimensions, names)
  .option('--runs <count>', 'of each point; the medians count', count, 3)
  .option('--seconds <number>', 'of each measured window; a run has two', positive, 4)
  .option('--rate <messages/s>', 'at which p99 is measured', count, 5000)
  .option('--per-write <count>', 'lines in one write of a device, at full speed', count, 10)
  .option('--env <NAME=VALUE>', 'a setting of every gateway; can be repeated', setting)
  .option('--json <file>', 'also write all figures to this file')
  .option('--report [file]', 'write the section of this page, and the chart (default: docs/benchmarks.md)')
  .option('--from <file>', 'measure nothing; report this file of --json')
  .action(scaling);

await runCommand(program, interrupt.signal, [
  [KafkaUnavailableError, 1],
  [SectionError, 1],
]);

async function scaling(options: Options): Promise<void> {
  const result = options.from === undefined ? await measured(options) : await saved(options.from);
  console.log(`\n${resultText(result)}`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(result, null, 2)}\n`);
  if (options.report !== undefined) {
    const file = options.report === true ? PAGE : options.report;
    const chart = join(dirname(file), CHART);
    await writeSection({ file, heading: 'Benchmarks' }, 'scaling', sectionText(result, basename(chart)));
    await writeFile(chart, chartSvg(result));
  }
  const failures = result.dimensions.flatMap(({ points }) => points.flatMap(({ failures }) => failures));
  if (failures.length > 0) {
    console.error('Some of the runs failed; see above.');
    process.exitCode = 1;
  }
}

function measured(options: Options): Promise<ScalingResult> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());
  const { only, runs, seconds, rate, perWrite: linesPerWrite, env: settings = {} } = options;
  return withKafka(interrupt.signal, async ({ bootstrap, about }) => {
    const measure = { bootstrap, seconds, rate, linesPerWrite, settings, signal: interrupt.signal };
    const dimensions = await measureAll(only, runs, measure);
    const described = circumstances('scaling', process.argv.slice(2), about);
    return { kind: 'scaling', circumstances: described, runs, seconds, rate, linesPerWrite, dimensions };
  });
}

async function saved(file: string): Promise<ScalingResult> {
  const result = JSON.parse(await readFile(file, 'utf8')) as ScalingResult;
  if (result.kind !== 'scaling') program.error(`error: --from ${file} is not a file of npm run scaling`);
  return result;
}

function dimensions(text: string): DimensionName[] {
  const wanted = text.split(',').map((name) => name.trim());
  const unknown = wanted.find((name) => !names.includes(name as DimensionName));
  if (unknown !== undefined) throw new InvalidArgumentError(`allowed: ${names.join(', ')}.`);
  return names.filter((name) => wanted.includes(name));
}
