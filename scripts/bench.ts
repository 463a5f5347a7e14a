// npm run bench: what the built server takes and what a message costs it, against a real Kafka.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CODEC_NAMES } from '../src/kafka/compression.ts';
import { profileReport } from './bench/cpu-profile.ts';
import {
  type Figures,
  type Limits,
  missed,
  resultTable,
  runLine,
  type ScenarioResult,
} from './bench/report.ts';
import { SCENARIOS, type Scenario } from './bench/scenarios.ts';
import { type KafkaCluster, startKafka } from './kafka/cluster.ts';
import { KafkaUnavailableError } from './kafka/runtime.ts';

interface CommandOptions extends Limits {
  readonly scenario: readonly string[];
  readonly seconds: number;
  readonly runs: number;
  readonly connections: number;
  readonly compression?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly seq: boolean;
  readonly profile: boolean;
  readonly json?: string;
}

const EXIT_INTERRUPTED = 130;
const names = SCENARIOS.map(({ name }) => name);
// Deleted topics would otherwise stay on the disk for a minute each.
const KAFKA_PROPERTIES = { 'log.segment.delete.delay.ms': '1000' };

const program = new Command('npm run bench --')
  .description('Speed and CPU cost of the built server, against KAFKA_BROKERS or a local Kafka of its own.')
  .addOption(
    new Option('--scenario <name>', `one of ${names.join(', ')}; can be repeated`)
      .argParser(scenarioName)
      .default([], 'all'),
  )
  .option('--seconds <number>', 'about how long to measure each', positive, 5)
  .option('--runs <number>', 'how often; the median counts', count, 1)
  .option('--connections <number>', 'devices', count, 100)
  .addOption(new Option('--compression <codec>', 'KAFKA_COMPRESSION of the server').choices(CODEC_NAMES))
  .option('--env <NAME=VALUE>', 'a setting of the server; can be repeated', setting)
  .option('--seq', 'ask for the confirmation of every message, and wait for it', false)
  .option('--profile', 'show where the CPU time goes; the costs are then too high', false)
  .option('--json <file>', 'write all figures there too')
  .option('--max-multiple <number>', 'fail where a message costs more, in the unit JSON.parse', positive)
  .option('--max-p99 <ms>', 'fail where the latency is above', positive)
  .option('--min-spool-ratio <number>', 'fail where the spool takes less, of what Kafka takes', positive)
  .option('--max-stored-p99 <ms>', 'fail where it confirms later', positive)
  .option('--min-drain <number>', 'fail where it drains slower, in units of what arrives', positive)
  .addHelpText(
    'after',
    `\nScenarios:\n${SCENARIOS.map((s) => `  ${s.name.padEnd(12)}${s.about}`).join('\n')}\nSpools lie below TMPDIR: a disk, where the figures are to mean one.`,
  )
  .action(bench);

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());

try {
  await program.parseAsync();
} catch (error) {
  if (interrupt.signal.aborted) {
    process.exitCode = EXIT_INTERRUPTED;
  } else {
    // The rest are bugs or a broker that would not start, where the whole error helps.
    if (!(error instanceof KafkaUnavailableError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

async function bench(options: CommandOptions): Promise<void> {
  const external = process.env.KAFKA_BROKERS;
  let cluster: KafkaCluster | undefined;
  if (!external) {
    console.error('Starting a Kafka for the bench ...');
    cluster = await startKafka({ properties: KAFKA_PROPERTIES });
  }
  let results: ScenarioResult[];
  try {
    interrupt.signal.throwIfAborted();
    results = await runAll(options, external || cluster?.bootstrap || '');
  } finally {
    await cluster?.stop();
  }
  const measured = results.filter(({ runs }) => runs.length > 0);
  if (measured.length > 0) console.log(`\n${machine()}\n\n${resultTable(measured)}`);
  if (options.json !== undefined) {
    const { scenario: _, json: __, ...settings } = options;
    const file = { at: new Date().toISOString(), machine: machine(), settings, results };
    await writeFile(options.json, `${JSON.stringify(file, null, 2)}\n`);
  }
  const failures = results.flatMap(({ failures }) => failures);
  const problems = missed(results, options);
  for (const problem of problems) console.error(`LIMIT MISSED  ${problem}`);
  if (failures.length > 0) console.error(`${failures.length} of the runs failed; see above.`);
  if (failures.length + problems.length > 0) process.exitCode = 1;
}

/** A run of each scenario, then the next of each, so that a slow minute of the machine meets all alike. */
async function runAll(options: CommandOptions, bootstrap: string): Promise<ScenarioResult[]> {
  const { scenario: chosen, seconds, runs, connections, compression, env, seq, profile } = options;
  const wanted = SCENARIOS.filter(({ name }) => chosen.length === 0 || chosen.includes(name));
  const settings = { ...env, ...(compression !== undefined && { KAFKA_COMPRESSION: compression }) };
  const results = new Map<Scenario, { runs: Figures[]; failures: string[] }>(
    wanted.map((scenario) => [scenario, { runs: [], failures: [] }]),
  );
  for (let run = 1; run <= runs; run++) {
    for (const [scenario, { runs: done, failures }] of results) {
      const profileDir = profile ? await mkdtemp(join(tmpdir(), 'sluice-profile-')) : undefined;
      const common = { bootstrap, connections, seconds, seq, settings, profileDir, signal: interrupt.signal };
      try {
        const measured = await scenario.run(common);
        done.push(measured);
        console.log(`${scenario.name}, run ${run} of ${runs}: ${runLine(measured)}`);
        if (profileDir !== undefined)
          console.log(`\n${await profileReport(profileDir, measured.windowUs)}\n`);
      } catch (error) {
        interrupt.signal.throwIfAborted();
        const message = error instanceof Error ? error.message : String(error);
        failures.push(message);
        console.error(`FAILED  ${scenario.name}, run ${run} of ${runs}: ${message}`);
      }
    }
  }
  return [...results].map(([{ name, about, judgedByMultiple }, figures]) => ({
    name,
    about,
    judgedByMultiple,
    ...figures,
  }));
}

function machine(): string {
  const processors = cpus();
  return `${processors[0]?.model.trim() ?? 'unknown CPU'}, ${processors.length} cores, Node ${process.version}, ${process.platform}`;
}

function scenarioName(name: string, before: readonly string[]): string[] {
  if (!names.includes(name)) throw new InvalidArgumentError(`It is one of ${names.join(', ')}.`);
  return [...before, name];
}

function setting(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, name, value] = /^([A-Z_]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It is NAME=VALUE.');
  return { ...before, [name]: value };
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError('It is a number above 0.');
  return value;
}

function count(text: string): number {
  const value = positive(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('It is a whole number.');
  return value;
}
