// The command `npm run sustained`: loads a gateway of its own for minutes at a steady rate, and checks that memory,
// descriptors and latency stay flat.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { count, duration, rate, whole } from '../../load/command/parsers.ts';
import { ChildError } from '../../load/processes/child.ts';
import { LoadError } from '../../load/run.ts';
import { SectionError, writeSection } from '../../scripts/docs/section.ts';
import { KafkaUnavailableError } from '../../scripts/kafka/runtime.ts';
import { positive, setting } from '../command/options.ts';
import { runCommand, withKafka } from '../command/run-command.ts';
import { circumstances } from '../report/circumstances.ts';
import { Display } from './display.ts';
import { type FlatnessLimits, MIN_SAMPLES } from './flatness.ts';
import { resultText, sectionText } from './report.ts';
import { resultOf, type SustainedResult } from './result.ts';
import { runSustained } from './run.ts';

interface Options extends FlatnessLimits {
  readonly minutes: number;
  readonly rate: number;
  readonly connections: number;
  readonly every: number;
  readonly warmUp: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly json?: string;
  readonly report?: string | true;
  readonly from?: string;
}

const EXIT_INTERRUPTED = 130;
// From dist/bench/sustained.
const PAGE = fileURLToPath(new URL('../../../docs/benchmarks.md', import.meta.url));

const interrupt = new AbortController();
const display = new Display(process.stderr);

const program = new Command('npm run sustained --')
  .description(
    'A steady load for minutes. Fails unless RSS, descriptors and latency of the gateway stay flat.',
  )
  .option('--minutes <number>', 'of the load', positive, 10)
  .option('-r, --rate <messages/s>', 'over all connections', steadyRate, 5000)
  .option('-c, --connections <count>', 'devices', count, 100)
  .option('--every <duration>', 'between two samples', duration, 5_000)
  .option('--warm-up <duration>', 'start of the load that is not judged', duration, 60_000)
  .option('--env <NAME=VALUE>', 'a setting of the gateway; can be repeated', setting)
  .option('--rss-percent <number>', 'of growth that RSS may have', positive, 10)
  .option('--rss-mib <number>', 'of growth that RSS may have in addition', positive, 10)
  .option('--descriptors <count>', 'difference in open descriptors that is allowed', whole, 5)
  .option('--p99-times <number>', 'factor by which p99 may grow', positive, 1.5)
  .option('--p99-ms <number>', 'milliseconds by which p99 may grow in addition', positive, 5)
  .option('--json <file>', 'also write all samples and figures to this file')
  .option('--report [file]', 'write the section of this page (default: docs/benchmarks.md)')
  .option('--from <file>', 'measure nothing; judge and report this file of --json')
  .action(sustained);

await runCommand(program, interrupt.signal, [
  [KafkaUnavailableError, 1],
  [LoadError, 1],
  [ChildError, 1],
  [SectionError, 1],
]);

async function sustained(options: Options): Promise<void> {
  const samples = Math.floor((options.minutes * 60_000 - options.warmUp) / Math.max(1, options.every)) - 1;
  if (options.from === undefined && !(options.every > 0 && samples >= MIN_SAMPLES))
    program.error(
      `error: --minutes, --warm-up and --every leave ${Math.max(0, samples)} whole samples after the warm-up, but ${MIN_SAMPLES} are needed`,
    );
  const result = options.from === undefined ? await measured(options) : await saved(options.from, options);
  process.stdout.write(`\n${resultText(result)}`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(result, null, 2)}\n`);
  if (options.report !== undefined && !result.load.interrupted) {
    const file = options.report === true ? PAGE : options.report;
    await writeSection({ file, heading: 'Benchmarks' }, 'sustained', sectionText(result));
  }
  if (result.faults.length > 0) process.exitCode = 1;
}

function measured(options: Options): Promise<SustainedResult> {
  const { rate, connections, minutes, warmUp, every, env = {} } = options;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupted);
  return withKafka(interrupt.signal, async ({ bootstrap, about }) => {
    const durationMs = minutes * 60_000;
    const run = await runSustained(
      { bootstrap, rate, connections, durationMs, warmUpMs: warmUp, everyMs: every, settings: env },
      display,
      interrupt.signal,
    );
    const described = circumstances('sustained', process.argv.slice(2), about);
    return resultOf({ circumstances: described, limits: limitsOf(options), everyMs: every, ...run });
  });
}

/** Judges a saved run again, with the present limits. */
async function saved(file: string, options: Options): Promise<SustainedResult> {
  const result = JSON.parse(await readFile(file, 'utf8')) as SustainedResult;
  if (result.kind !== 'sustained') program.error(`error: --from ${file} is not a file of npm run sustained`);
  return resultOf({ ...result, limits: limitsOf(options) });
}

function limitsOf({ rssPercent, rssMib, descriptors, p99Times, p99Ms }: Options): FlatnessLimits {
  return { rssPercent, rssMib, descriptors, p99Times, p99Ms };
}

/** The first signal ends the load, and the samples so far are judged. The second one ends everything at once. */
function interrupted(): void {
  // The gateway and Kafka end with this process.
  if (interrupt.signal.aborted) process.exit(EXIT_INTERRUPTED);
  display.note('ending early; a second Ctrl-C ends at once');
  interrupt.abort();
}

function steadyRate(text: string): number {
  return rate(text) || refuse();
}

function refuse(): never {
  throw new InvalidArgumentError('allowed: messages a second.');
}
