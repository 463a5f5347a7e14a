// The grammar of `sluice load`: its options, checked here, run elsewhere.
import { type Command, Option } from 'commander';
import * as parse from './parsers.ts';

/** As given; what the settings know is filled in later. */
export interface LoadOptions {
  readonly target?: { readonly host: string; readonly port: number };
  readonly connections: number;
  readonly processes: number;
  readonly rate: number;
  readonly step?: { readonly perSecond: number } | { readonly percent: number };
  readonly ramp: number;
  readonly duration: number;
  readonly warmUp: number;
  readonly think?: number;
  readonly size?: number;
  readonly shape: parse.ShapeOption;
  readonly perWrite: number;
  readonly seq: boolean;
  readonly window: number;
  readonly bad: number;
  readonly slowReaders: number;
  readonly churn: number;
  readonly zipcodes?: number;
  readonly token?: string;
  readonly seed: number;
  readonly brokers?: string;
  readonly topic?: string;
  readonly readBack: boolean;
  readonly live: boolean;
  readonly settle: number;
  readonly reconnect: number;
  readonly maxP99?: number;
  readonly json?: string;
}

const EXAMPLES = `
Examples:
  sluice load                                              100 devices, 1000 messages a second, 10 seconds
  sluice load --rate 20000 --per-write 50 --warm-up 3s     paced; latencies without the first three seconds
  sluice load --rate max --no-live --processes 2           as fast as taken; the topic is read afterwards
  sluice load --rate 5000 --step 25% --max-p99 20          raises the rate until p99 is above 20 ms
  sluice load --connections 10000 --ramp 30s --churn 1%    many devices that come and go

Exit codes: 0 nothing lost, duplicated, reordered or corrupted, 1 otherwise, 2 loss unknown because Kafka could not be
read, 64 wrong command line
How latencies are counted and what each option does: docs/load-testing.md`;

/** `chosen` is called while the command line is parsed. */
export function addLoadCommand(program: Command, chosen: (options: LoadOptions) => void): void {
  const load = program
    .command('load')
    .description('devices that load a gateway, and the proof from Kafka that all of it arrived')
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false);
  addLoadOptions(load);
  addReadBackOptions(load);
  load.addHelpText('after', EXAMPLES).action((options: LoadOptions) => {
    const problem = parse.conflictOf(options);
    if (problem !== undefined) load.error(`error: ${problem}`);
    chosen(options);
  });
}

/** `byDefault` as one would write it; what has none is left out. */
function add<T>(
  load: Command,
  [flags, about]: readonly [flags: string, about: string],
  parser: (text: string) => T,
  byDefault?: string,
): void {
  const option = new Option(flags, about).argParser<T>(parser);
  load.addOption(byDefault === undefined ? option : option.default(parser(byDefault), byDefault));
}

function addLoadOptions(load: Command): void {
  add(load, ['--target <host:port>', 'the gateway (default: 127.0.0.1 and TCP_PORT)'], parse.target);
  add(load, ['-c, --connections <count>', 'devices'], parse.count, '100');
  add(load, ['--processes <count>', 'processes that share them'], parse.count, '1');
  add(load, ['-r, --rate <messages/s>', 'over all devices, or max: as fast as taken'], parse.rate, '1000');
  add(load, ['-d, --duration <duration>', 'of the load, of each step'], parse.duration, '10s');
  add(load, ['--ramp <duration>', 'before it: devices open one by one, the rate grows'], parse.duration, '0');
  add(load, ['--warm-up <duration>', 'of the duration: latencies do not count yet'], parse.duration, '0');
  add(load, ['--step <messages/s | percent>', 'raise the rate by so much until it breaks'], parse.step);
  add(load, ['--max-p99 <ms>', 'what p99 may be (default with --step: 100)'], parse.milliseconds);
  add(load, ['--size <bytes>', 'of a line (default: 170; of a batch 150 a reading)'], parse.size);
  add(load, ['--shape <shape>', 'flat, pairs (name=value text), batch:N (N readings)'], parse.shape, 'flat');
  add(load, ['--per-write <count>', 'lines that a device writes at once'], parse.count, '1');
  load.option('--no-seq', 'ask for no confirmations');
  add(load, ['--window <count>', 'messages that a device may have unconfirmed'], parse.count, '1000');
  add(load, ['--bad <share>', 'lines that must be refused, such as 0.01 or 1%'], parse.share, '0');
  add(load, ['--slow-readers <count>', 'devices that read their answers slowly'], parse.whole, '0');
  add(load, ['--churn <share>', 'devices that close and connect again, a second'], parse.share, '0');
  add(load, ['--think <duration>', 'between an answer and the next write; with --rate max'], parse.duration);
  add(load, ['--zipcodes <count>', 'different ones (default: one a device, up to 1000)'], parse.count);
  load.option('--token <token>', 'that devices identify with');
  add(load, ['--seed <number>', 'for figures and chance'], parse.whole, '1');
}

function addReadBackOptions(load: Command): void {
  add(load, ['--brokers <host:port,...>', 'to read from (default: KAFKA_BROKERS)'], parse.brokers);
  add(load, ['--topic <name>', 'to read (default: KAFKA_TOPIC_METRICS)'], parse.topic);
  load.option('--no-read-back', 'do not read the topic: nothing is proved then');
  load.option('--no-live', 'read it after the load only: no latency to the consumer');
  add(load, ['--settle <duration>', 'without progress for so long, the rest is lost'], parse.duration, '10s');
  add(load, ['--reconnect <duration>', 'without Kafka for so long, loss is unknown'], parse.duration, '2m');
  load.option('--json <file>', 'write everything that was found out there too');
}
