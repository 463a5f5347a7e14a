// The command `npm run bench`: measures throughput and CPU cost of the built server against a real Kafka.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { KafkaUnavailableError } from '../scripts/kafka/runtime.ts';
import { EXIT_USAGE } from '../src/config/exit-codes.ts';
import { CODEC_NAMES } from '../src/kafka/batches/compression.ts';
import { positive, setting } from './command/options.ts';
import { runCommand, withKafka } from './command/run-command.ts';
import { compareWithPeers, PEER_NAMES } from './comparison/command.ts';
import { LINGERS_MS } from './comparison/duels.ts';
import { PeerError } from './peers/peer.ts';
import { packageVersion } from './report/circumstances.ts';
import type { Figures } from './report/columns.ts';
import { type Comparison, compare } from './report/compare.ts';
import { type Limit, missed, parseLimit } from './report/limits.ts';
import { resultTable, runLine } from './report/report.ts';
import {
  type BenchFile,
  BenchFileError,
  machineText,
  mergeFiles,
  type NodeResults,
  readBenchFile,
  thisMachine,
  writeBenchFile,
} from './report/results-file.ts';
import { TARGETS } from './report/targets.ts';
import { profileReport } from './scenarios/cpu-profile.ts';
import { SCENARIOS, type Scenario } from './scenarios/scenarios.ts';
import { WARM_UP_SECONDS } from './servers/loaded-gateways.ts';

interface CommandOptions {
  readonly scenario: readonly string[];
  readonly seconds: number;
  readonly warmUp: number;
  readonly runs: number;
  readonly connections: number;
  readonly devices: number;
  readonly node: readonly string[];
  readonly peer: readonly string[];
  readonly peerLinger: readonly number[];
  readonly compression?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly seq: boolean;
  readonly profile: boolean;
  readonly max: readonly Limit[];
  readonly min: readonly Limit[];
  readonly targets: boolean;
  readonly compare?: string;
  readonly from?: string;
  readonly json?: string;
  readonly report: boolean;
}

const MIN_REPORT_RUNS = 5;
/** `npm run docs` writes the pages from this file. */
const REPORT = new URL('../../docs/benchmarks.json', import.meta.url);
const names = SCENARIOS.map(({ name }) => name);
const kinds = new Map(SCENARIOS.map(({ name, kind }) => [name, kind]));

const program = new Command('npm run bench --')
  .description('Speed and CPU cost of the built server, against KAFKA_BROKERS or a local Kafka of its own.')
  .addOption(
    new Option('--scenario <name>', `one of ${names.join(', ')}; can be repeated`)
      .argParser(scenarioName)
      .default([], 'all'),
  )
  .option('--seconds <number>', 'approximate length of each measurement', positive, 5)
  .option('--warm-up <seconds>', 'at least, before each measurement', positive, WARM_UP_SECONDS)
  .option('--runs <number>', 'runs of each scenario; the median counts', count, 1)
  .option('--connections <number>', 'devices', count, 100)
  .option(
    '--devices <number>',
    'devices that connect at once in the scenario storm; five times as many in storm-50k',
    count,
    10_000,
  )
  .addOption(
    new Option('--node <path>', 'another Node for the servers; if repeated, each runs them in turn')
      .argParser((path: string, before: readonly string[]) => [...before, path])
      .default([], 'the one that runs the bench'),
  )
  .addOption(
    new Option('--peer <name>', `compare with another program: ${PEER_NAMES.join(', ')}; can be repeated`)
      .argParser(peerName)
      .default([], 'none'),
  )
  .addOption(
    new Option('--peer-linger <ms>', 'how long the Kafka client of a peer collects; can be repeated')
      .argParser((text: string, before: readonly number[]) => [...before, count(text)])
      .default([], LINGERS_MS.join(' and ')),
  )
  .addOption(new Option('--compression <codec>', 'KAFKA_COMPRESSION of the server').choices(CODEC_NAMES))
  .option('--env <NAME=VALUE>', 'a setting of the server; can be repeated', setting)
  .option('--seq', 'ask for the confirmation of every message, and wait for it', false)
  .option('--profile', 'show where the CPU time goes; this raises the costs', false)
  .addOption(limitOption('--max', 'above'))
  .addOption(limitOption('--min', 'below'))
  .option('--targets', 'fail if a target of docs/benchmarks.md is missed', false)
  .option(
    '--compare <file>',
    'fail if a figure is worse than in this file of --json, beyond noise; measures with the settings of the file',
  )
  .option('--json <file>', 'also write all figures to this file')
  .option('--from <file>', 'measure nothing; take the figures from this file of --json')
  .option(
    '--report',
    'put the figures into docs/benchmarks.json, from which `npm run docs` writes the pages',
    false,
  )
  .addHelpText(
    'after',
    `\nWith --peer, the scenarios batch, single, steady and latency are played in turns by each peer and by Sluice (docs/comparison.md).\nScenarios:\n${SCENARIOS.map((s) => `  ${s.name.padEnd(12)}${s.about}`).join('\n')}\nSpools are written below TMPDIR. For figures of a disk, TMPDIR must be on a disk.`,
  )
  .action(bench);

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());

await runCommand(program, interrupt.signal, [
  [KafkaUnavailableError, 1],
  [BenchFileError, EXIT_USAGE],
  [PeerError, EXIT_USAGE],
]);

async function bench(given: CommandOptions): Promise<void> {
  if (given.peer.length > 0) {
    const { peer: peers, peerLinger: lingersMs, node: nodes, json, ...others } = given;
    const isFine = await compareWithPeers({ ...others, peers, lingersMs, nodes, json }, interrupt.signal);
    if (!isFine) process.exitCode = 1;
    return;
  }
  if (given.report && given.from === undefined) checkReportable(given);
  // Read first, so that a wrong name fails before minutes of measuring.
  const before = given.compare === undefined ? undefined : await readBenchFile(given.compare);
  const options = before === undefined ? given : measuredAs(before, given);
  const file = options.from === undefined ? await measureAll(options) : await readBenchFile(options.from);
  const measured = file.results.filter(({ runs }) => runs.length > 0);
  if (measured.length > 0) console.log(`\n${machineText(file.machine)}\n\n${resultTable(measured)}`);
  for (const { node, results } of file.otherNodes ?? [])
    console.log(`\nNode ${node}\n\n${resultTable(results.filter(({ runs }) => runs.length > 0))}`);
  if (options.json !== undefined) await writeBenchFile(options.json, file);

  const all = [file, ...(file.otherNodes ?? [])].flatMap(({ results }) => results);
  const failures = all.flatMap(({ failures }) => failures);
  const ofMeasured = TARGETS.filter(({ scenario }) => file.results.some(({ name }) => name === scenario));
  const limits = [...options.max, ...options.min, ...(options.targets ? ofMeasured : [])];
  const problems = missed(file.results, limits);
  for (const problem of problems) console.error(`LIMIT MISSED  ${problem}`);
  const regressions = before === undefined ? [] : tell(compare(before, file), options.compare ?? '');
  if (failures.length > 0) console.error(`${failures.length} of the runs failed; see above.`);
  if (failures.length + problems.length + regressions.length > 0) process.exitCode = 1;
  if (options.report) await report(file);
}

/** Only figures with the same settings can be compared, so settings of the file replace the defaults. */
function measuredAs({ settings }: BenchFile, options: CommandOptions): CommandOptions {
  const isDefault = (name: keyof CommandOptions) => program.getOptionValueSource(name) === 'default';
  return {
    ...options,
    seconds: isDefault('seconds') ? settings.seconds : options.seconds,
    connections: isDefault('connections') ? settings.connections : options.connections,
  };
}

function checkReportable({ runs, warmUp, profile }: CommandOptions): void {
  if (runs >= MIN_REPORT_RUNS && warmUp >= WARM_UP_SECONDS && !profile) return;
  throw new BenchFileError(
    `a report needs at least ${MIN_REPORT_RUNS} runs of each scenario, the whole warm-up, and no --profile`,
  );
}

/** Replaces the measured scenarios in the file. The others stay if they were measured with the same settings. */
async function report(file: BenchFile): Promise<void> {
  const all = names.every((name) => file.results.some((result) => result.name === name));
  const merged = all ? file : mergeFiles(await readBenchFile(fileURLToPath(REPORT)), file);
  await writeBenchFile(REPORT, merged);
  console.log('wrote docs/benchmarks.json; npm run docs writes the pages from it');
}

function tell({ regressions, compared, ratiosOnly }: Comparison, name: string): readonly string[] {
  const which = ratiosOnly ? 'another machine, so only ratios' : 'the same machine';
  console.log(`compared with ${name} (${which}): ${compared} figures, ${regressions.length} worse`);
  for (const regression of regressions) console.error(`REGRESSION  ${regression}`);
  return regressions;
}

function measureAll(options: CommandOptions): Promise<BenchFile> {
  const at = new Date().toISOString();
  return withKafka(interrupt.signal, async ({ bootstrap, about }) => {
    const [measured, ...others] = await runAll(options, bootstrap);
    const { seconds, runs, connections, seq } = options;
    const settings = { seconds, runs, connections, seq, env: serverSettings(options) };
    return {
      at,
      version: packageVersion(),
      kafka: about,
      machine: thisMachine(options.node[0]),
      settings,
      results: measured?.results ?? [],
      ...(others.length > 0 && { otherNodes: others }),
    };
  });
}

function serverSettings({ env, compression }: CommandOptions): Record<string, string> {
  return { ...env, ...(compression !== undefined && { KAFKA_COMPRESSION: compression }) };
}

/** The scenarios, and in each the Nodes, take turns, so that a slow minute of the machine affects all of them. */
async function runAll(options: CommandOptions, bootstrap: string): Promise<NodeResults[]> {
  const { scenario: chosen, seconds, warmUp: warmUpSeconds, runs, seq, profile } = options;
  const wanted = SCENARIOS.filter(({ name }) => chosen.length === 0 || chosen.includes(name)).filter(
    ({ name, lacks }) => {
      const lacking = lacks?.(options);
      if (lacking !== undefined) console.error(`SKIPPED  ${name}: ${lacking}`);
      return lacking === undefined;
    },
  );
  const settings = serverSettings(options);
  const nodes = (options.node.length > 0 ? options.node : [undefined]).map((path) => ({
    path,
    node: thisMachine(path).node,
    results: new Map<Scenario, { runs: Figures[]; failures: string[] }>(
      wanted.map((scenario) => [scenario, { runs: [], failures: [] }]),
    ),
  }));
  const turns = wanted.flatMap((scenario) => nodes.map((node) => ({ scenario, ...node })));
  for (let run = 1; run <= runs; run++) {
    for (const { scenario, path, node, results } of turns) {
      const { runs: done, failures } = results.get(scenario) ?? { runs: [], failures: [] };
      const profileDir = profile ? await mkdtemp(join(tmpdir(), 'sluice-profile-')) : undefined;
      const { signal } = interrupt;
      const { connections, devices } = options;
      const measure = { bootstrap, seconds, warmUpSeconds, seq, connections, devices };
      const common = { ...measure, settings, profileDir, node: path, signal };
      const title = `${scenario.name}, ${nodes.length > 1 ? `Node ${node}, ` : ''}run ${run} of ${runs}`;
      try {
        const measured = await scenario.run(common);
        done.push(measured);
        console.log(`${title}: ${runLine(measured)}`);
        if (profileDir !== undefined)
          console.log(`\n${await profileReport(profileDir, measured.windowUs)}\n`);
      } catch (error) {
        interrupt.signal.throwIfAborted();
        const message = error instanceof Error ? error.message : String(error);
        failures.push(message);
        console.error(`FAILED  ${title}: ${message}`);
      }
    }
  }
  return nodes.map(({ node, results }) => ({
    node,
    results: [...results].map(([{ name, about, kind }, figures]) => ({ name, about, kind, ...figures })),
  }));
}

function limitOption(flag: '--max' | '--min', side: string): Option {
  const about = `fail if the median is ${side} it, such as batch.multiple=5; can be repeated`;
  return new Option(`${flag} <scenario.figure=number>`, about)
    .argParser((text: string, before: readonly Limit[]) => {
      try {
        return [...before, parseLimit(text, flag === '--max' ? 'max' : 'min', kinds)];
      } catch (error) {
        throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
      }
    })
    .default([], 'none');
}

function scenarioName(name: string, before: readonly string[]): string[] {
  if (!names.includes(name)) throw new InvalidArgumentError(`allowed: ${names.join(', ')}.`);
  return [...before, name];
}

function peerName(name: string, before: readonly string[]): string[] {
  if (!PEER_NAMES.includes(name)) throw new InvalidArgumentError(`allowed: ${PEER_NAMES.join(', ')}.`);
  return [...before, name];
}

function count(text: string): number {
  const value = positive(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('allowed: a whole number.');
  return value;
}
