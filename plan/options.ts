// The options of `npm run plan`, and the input of the model that they make.
import type { Command } from 'commander';
import { gatewaySettings } from './gateway-settings.ts';
import type { PlanInput } from './model/input.ts';
import { amount, rate, size, time, whole } from './option-values.ts';

export interface PlanOptions {
  /** Absent only until the command has refused that. */
  readonly devices?: number;
  readonly interval: number;
  readonly bytes: number;
  readonly rtt: number;
  readonly tls: boolean;
  readonly peak: number;
  readonly cores: number;
  readonly memory: number;
  readonly network: number;
  readonly openFiles: number;
  readonly disk: number;
  readonly price?: number;
  readonly use: number;
  readonly spare: number;
  readonly perMachine: number;
  readonly outage: number;
  readonly storm: number;
  readonly kafkaRtt: number;
  readonly replicas: number;
  readonly retention: number;
  readonly consumer: number;
  readonly readers: number;
  readonly brokerCores: number;
  readonly brokerNetwork: number;
  readonly brokerDisk: number;
  readonly brokerPrice?: number;
  readonly linger: number;
  readonly json: boolean;
}

const MAX_DEVICES = 1_000_000_000;
/** The largest value of TCP_PROCESSES. */
const MAX_PROCESSES = 256;
const MAX_LINE_BYTES = 65_536;
/** The shortest metrics message: `{"type":"metrics","data":{"a":1}}` and an LF. */
const MIN_LINE_BYTES = 34;
const DAY_SECONDS = 86_400;
const YEAR_SECONDS = 366 * DAY_SECONDS;
const GIB = 2 ** 30;

export function addPlanOptions(program: Command): Command {
  const option = (flags: string, about: string, parse: (text: string) => number, preset?: string): void => {
    const made = program.createOption(flags, about).argParser(parse);
    // The help shows the text.
    if (preset !== undefined) made.default(parse(preset), preset);
    program.addOption(made);
  };
  program.optionsGroup('The fleet:');
  option('--devices <number>', 'devices; has to be given', whole(1, MAX_DEVICES));
  option('--interval <time>', 'between two readings of a device', time(0.01, 30 * DAY_SECONDS), '60s');
  option(
    '--bytes <size>',
    'of the line of a reading, with its LF',
    size(MIN_LINE_BYTES, MAX_LINE_BYTES),
    '200',
  );
  option('--rtt <time>', 'from a device to the gateway and back', time(0, 60), '50ms');
  program.option('--tls', 'devices use TLS', false);
  option('--peak <factor>', 'the busiest second, in units of the average', amount(1, 1_000), '2');
  program.optionsGroup('A machine:');
  option('--cores <number>', 'cores, and so server processes', whole(1, MAX_PROCESSES), '4');
  option('--memory <size>', 'memory', size(2 ** 28, 2 ** 50), '8GiB');
  option('--network <rate>', 'in each direction, such as 1Gbit', rate, '1Gbit');
  option('--disk <size>', 'disk for the spool', size(2 ** 28, 2 ** 60), '100GB');
  option(
    '--open-files <number>',
    'limit on open files of a process (ulimit -n)',
    whole(301, 2 ** 30),
    '131072',
  );
  option('--price <number>', 'price of a machine by hour, in any currency', amount(0, 1e9));
  program.optionsGroup('Goals:');
  option('--use <part>', 'part of CPU and network that the busiest second may use', amount(0.01, 1), '0.6');
  option('--spare <number>', 'machines that may be away at the same time', whole(0, 1_000), '1');
  option('--per-machine <number>', 'most devices of a machine', whole(1, 1_000_000), '1000000');
  option('--outage <time>', 'how long Kafka may be away', time(0, YEAR_SECONDS), '4h');
  option(
    '--storm <time>',
    'until all devices are back after a regional outage',
    time(1, 7 * DAY_SECONDS),
    '5m',
  );
  program.optionsGroup('Kafka:');
  option('--kafka-rtt <time>', 'from a gateway to Kafka and back', time(0, 60), '1ms');
  option('--replicas <number>', 'of each record', whole(1, 100), '3');
  option('--retention <time>', 'how long Kafka keeps a record', time(1, 10 * YEAR_SECONDS), '168h');
  option('--consumer <number>', 'records that one consumer reads in a second', whole(1, 1e9), '10000');
  option('--readers <number>', 'groups of consumers', whole(0, 1_000), '2');
  option('--broker-cores <number>', 'cores of a broker', whole(1, 1_024), '4');
  option('--broker-network <rate>', 'of a broker, in each direction', rate, '1Gbit');
  option('--broker-disk <size>', 'disk of a broker', size(GIB, 2 ** 60), '1TB');
  option('--broker-price <number>', 'price of a broker by hour', amount(0, 1e9));
  option(
    '--linger <time>',
    'how long a batch waits in the gateways (up to KAFKA_BATCH_TIMEOUT)',
    time(0.001, 60),
    '10ms',
  );
  program.optionsGroup('Output:');
  program.option('--json', 'print the whole plan as JSON', false);
  return program;
}

/** The gateway has its default settings but for the linger. */
export function inputOf(devices: number, options: PlanOptions): PlanInput {
  return {
    fleet: {
      devices,
      intervalSeconds: options.interval,
      lineBytes: options.bytes,
      rttSeconds: options.rtt,
      tls: options.tls,
      peak: options.peak,
    },
    machine: {
      cores: options.cores,
      memoryBytes: options.memory,
      networkBytesPerSecond: options.network,
      openFiles: options.openFiles,
      diskBytes: options.disk,
      pricePerHour: options.price ?? null,
    },
    broker: {
      cores: options.brokerCores,
      networkBytesPerSecond: options.brokerNetwork,
      diskBytes: options.brokerDisk,
      pricePerHour: options.brokerPrice ?? null,
    },
    kafka: {
      rttSeconds: options.kafkaRtt,
      replicas: options.replicas,
      retentionSeconds: options.retention,
      consumerPerSecond: options.consumer,
      readers: options.readers,
    },
    goals: {
      use: options.use,
      spare: options.spare,
      devicesPerMachine: options.perMachine,
      outageSeconds: options.outage,
      stormSeconds: options.storm,
    },
    settings: { ...gatewaySettings(options.cores), lingerSeconds: options.linger },
  };
}
