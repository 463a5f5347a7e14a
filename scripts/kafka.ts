// Runs a local Kafka to try Sluice with (npm run kafka), and prints the records of a topic (npm run kafka -- consume).
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { withAdmin } from './kafka/client.ts';
import { startKafka } from './kafka/cluster.ts';
import { isFree } from './kafka/ports.ts';
import { KafkaUnavailableError } from './kafka/runtime.ts';
import { printTopic } from './kafka/topic-printer.ts';

// Each version of Kafka has its own directory, because an older version cannot read the data of a newer one.
const version = process.env.SLUICE_KAFKA_VERSION;
const DATA_DIR = fileURLToPath(
  new URL(version ? `../../data/kafka-${version}` : '../../data/kafka', import.meta.url),
);
const METRICS_TOPIC = 'weather.metrics.raw';
const LAST_BY_DEFAULT = 100;
const MAX_LAST = 10_000;
const LOOK_EVERY_MS = 500;
const START_ONE = 'Start one in another terminal with: npm run kafka';

interface ServeOptions {
  readonly port: number;
  readonly brokers: '1' | '3';
  readonly data: string;
  readonly fresh: boolean;
}

const program = new Command('npm run kafka --').description('A local Apache Kafka to try Sluice with.');

program
  .command('serve', { isDefault: true })
  .description('run Kafka until Ctrl-C')
  .option('--port <number>', 'port of the first broker', port, 9092)
  .addOption(new Option('--brokers <count>', 'number of brokers').choices(['1', '3']).default('1'))
  .option('--data <dir>', 'the directory that keeps the records between runs', DATA_DIR)
  .option('--fresh', 'delete the records of earlier runs', false)
  .action(serve);

program
  .command('consume')
  .description(
    `print keys, values and headers of a topic: its last ${LAST_BY_DEFAULT} records, and then new ones until Ctrl-C`,
  )
  .argument('[topic]', 'the topic', METRICS_TOPIC)
  .addOption(
    new Option('--last <number>', 'print the last so many records and end')
      .argParser(count)
      .conflicts('from'),
  )
  .addOption(
    new Option('--from <place>', 'start at the first record, or print only new ones').choices([
      'beginning',
      'now',
    ]),
  )
  .option('--follow', 'with --last: go on with new records until Ctrl-C', false)
  .option('--whole', 'do not shorten long values', false)
  .option('--bootstrap <host:port>', 'address of the Kafka', process.env.KAFKA_BROKERS || '127.0.0.1:9092')
  .addHelpText(
    'after',
    `
Examples:
  npm run kafka -- consume --last 5                       the last five readings
  npm run kafka -- consume --from now                     only those that come from now on
  npm run kafka -- consume --from beginning               all of them
  npm run kafka -- consume weather.metrics.dead --last 1  why the last line was refused (headers)`,
  )
  .action(consume);

try {
  await program.parseAsync();
} catch (error) {
  // Any other error is a bug or a broker that does not start: its stack helps.
  if (!(error instanceof KafkaUnavailableError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function serve(options: ServeOptions): Promise<void> {
  const brokers = options.brokers === '3' ? 3 : 1;
  const ports = Array.from({ length: brokers }, (_, index) => options.port + index);
  for (const taken of ports) {
    if (await isFree(taken)) continue;
    console.error(`Port ${taken} is in use, perhaps by another Kafka. Choose another port with --port.`);
    process.exitCode = 1;
    return;
  }
  const stopRequest = firstSignal();
  console.log(`Starting Apache Kafka with ${brokers === 1 ? 'one broker' : 'three brokers'} ...`);
  // One directory for each size of cluster, because the data of one size does not fit the other.
  const dataDir = join(options.data, brokers === 1 ? 'one-broker' : 'three-brokers');
  const cluster = await startKafka({ brokers, ports, dataDir, fresh: options.fresh });
  console.log(greeting(cluster.bootstrap, options.port, dataDir));

  const firstGone = Promise.race(cluster.brokers.map((broker) => broker.exited().then(() => broker)));
  const gone = await Promise.race([stopRequest, firstGone]);
  if (gone) {
    console.error(`Broker ${gone.id} has ended by itself. Its last log lines:\n${await gone.logTail()}`);
    process.exitCode = 1;
  } else {
    console.log('\nStopping Kafka ...');
  }
  await cluster.stop();
}

function greeting(bootstrap: string, port: number, dataDir: string): string {
  const bootstrapOption = port === 9092 ? '' : ` --bootstrap 127.0.0.1:${port}`;
  return `
Kafka is ready at ${bootstrap}
  Read what Sluice wrote:  npm run kafka -- consume${bootstrapOption}
  Another topic:           npm run kafka -- consume${bootstrapOption} TOPIC
  The records are kept in  ${dataDir} (--fresh deletes them)
  Stop it with Ctrl-C
`;
}

interface ConsumeOptions {
  readonly bootstrap: string;
  readonly last?: number;
  readonly from?: 'beginning' | 'now';
  readonly follow: boolean;
  readonly whole: boolean;
}

async function consume(topic: string, options: ConsumeOptions): Promise<void> {
  const { bootstrap, last, whole } = options;
  const follow = last === undefined || options.follow;
  const from = last ?? options.from ?? LAST_BY_DEFAULT;
  const topics = () => withAdmin(bootstrap, (admin) => admin.listTopics(), 0).catch(() => undefined);
  const found = await topics();
  if (found === undefined) return failed(`No Kafka answers at ${bootstrap}. ${START_ONE}`);
  const missing = `The topic ${topic} does not exist yet; Sluice creates its topics when it starts.`;
  if (!found.includes(topic) && !follow) return failed(missing);

  const abort = new AbortController();
  void firstSignal().then(() => abort.abort());
  // The reader of the output has gone, for example `head`.
  process.stdout.on('error', () => process.exit(0));
  console.error(`Reading ${topic}: ${placeText(from)}${follow ? ', until Ctrl-C' : ''}.`);
  if (!found.includes(topic)) console.error(missing);
  while (!abort.signal.aborted && !(await topics())?.includes(topic))
    await pause(LOOK_EVERY_MS, undefined, { signal: abort.signal }).catch(() => undefined);
  if (abort.signal.aborted) return;
  // A topic that was made meanwhile has only new records.
  const start = found.includes(topic) ? from : 'beginning';
  const isWhole = await printTopic({ bootstrap, topic, from: start, follow, whole }, abort.signal);
  if (!isWhole && !follow) failed('The end of the topic was not reached: Kafka has not answered for 10 s.');
}

function placeText(from: number | 'beginning' | 'now'): string {
  const text = { beginning: 'all of it, from its beginning', now: 'only records that come from now on' };
  return typeof from === 'number' ? `its last ${from} records (all of it: --from beginning)` : text[from];
}

function failed(message: string): void {
  console.error(message);
  process.exitCode = 1;
}

/** Resolves with the first signal. Later signals are ignored, because a stop is under way. */
function firstSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => resolve(undefined));
  });
}

function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > MAX_LAST)
    throw new InvalidArgumentError(`A number from 1 to ${MAX_LAST}.`);
  return value;
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_533)
    throw new InvalidArgumentError('A port is 1 to 65533.');
  return value;
}
