// Runs a local Kafka to try Sluice with (npm run kafka), and prints the records of a topic (npm run kafka -- consume).
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { withAdmin } from './kafka/client.ts';
import { startKafka } from './kafka/cluster.ts';
import { CONSOLE_CONSUMER, toolCommand } from './kafka/java-tools.ts';
import { isFree } from './kafka/ports.ts';
import { exitOf } from './kafka/process.ts';
import { KafkaUnavailableError } from './kafka/runtime.ts';

// Each version of Kafka has its own directory, because an older version cannot read the data of a newer one.
const version = process.env.SLUICE_KAFKA_VERSION;
const DATA_DIR = fileURLToPath(
  new URL(version ? `../../data/kafka-${version}` : '../../data/kafka', import.meta.url),
);
const METRICS_TOPIC = 'weather.metrics.raw';

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
  .description('print the keys and values of a topic from its beginning, and go on until Ctrl-C')
  .argument('[topic]', 'the topic', METRICS_TOPIC)
  .option('--bootstrap <host:port>', 'address of the Kafka', process.env.KAFKA_BROKERS || '127.0.0.1:9092')
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

async function consume(topic: string, options: { readonly bootstrap: string }): Promise<void> {
  const { bootstrap } = options;
  const topics = await withAdmin(bootstrap, (admin) => admin.listTopics(), 0).catch(() => undefined);
  if (topics === undefined) {
    console.error(`No Kafka answers at ${bootstrap}. Start one in another terminal with: npm run kafka`);
    process.exitCode = 1;
    return;
  }
  const missing = topics.includes(topic)
    ? ''
    : ' It does not exist yet; Sluice creates its topics when it starts.';
  console.error(`Reading ${topic} from its beginning, key and value, until Ctrl-C.${missing}`);
  const { command, args, ended } = await toolCommand(bootstrap, CONSOLE_CONSUMER, [
    ...['--bootstrap-server', bootstrap, '--topic', topic, '--from-beginning'],
    ...['--property', 'print.key=true', '--property', 'key.separator= '],
    // Notices within a second that the topic was created.
    ...['--consumer-property', 'metadata.max.age.ms=1000'],
  ]);
  const stopRequest = firstSignal();
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const exited = exitOf(child);
  const stopped = await Promise.race([stopRequest.then(() => true), exited.then(() => false)]);
  child.kill('SIGTERM');
  const code = await exited;
  await ended();
  process.exitCode = stopped ? 0 : (code ?? 1);
}

/** Resolves with the first signal. Later signals are ignored, because a stop is under way. */
function firstSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => resolve(undefined));
  });
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_533)
    throw new InvalidArgumentError('A port is 1 to 65533.');
  return value;
}
