// The command line of the load tool: its options and help. Checks them and starts nothing.
import { Command, Option } from 'commander';
import { pathOfPage } from '../../src/config/pages.ts';
import { conflictIn, type LoadOptions } from './options.ts';
import * as parse from './parsers.ts';

const DESCRIPTION = 'load a gateway with devices, and prove from Kafka that everything arrived';

const examples = (name: string) => `
Examples:
  ${name}                                              100 devices, 1000 messages a second, 10 seconds
  ${name} --rate 20000 --per-write 50 --warm-up 3s     paced; latencies without the first three seconds
  ${name} --rate max --no-live --processes 2           at full speed; the topic is read afterwards
  ${name} --rate 5000 --step 25% --max-p99 20          raises the rate until p99 is above 20 ms
  ${name} --lines lf --shape nested                    plain lines to TCP_LINES_PORT, without identify and replies
  ${name} --connections 10000 --ramp 30s --churn 1%    many devices that come and go

Exit codes: 0 nothing lost, duplicated, reordered or corrupted; 1 otherwise; 2 loss unknown, because Kafka could not
be read; 64 wrong command line
What each option does and how latencies are counted: ${pathOfPage('docs/load-testing.md')}`;

/** The options of `sluice load`. `chosen` is called while the command line is parsed. */
export function defineLoad(command: Command, chosen: (options: LoadOptions) => void): void {
  configure(command, 'sluice load', chosen);
}

/** The load tool as a program of its own. */
export function loadProgram(chosen: (options: LoadOptions) => void): Command {
  const program = new Command('sluice-load').description(DESCRIPTION);
  return configure(program, 'sluice-load', chosen);
}

function configure(load: Command, name: string, chosen: (options: LoadOptions) => void): Command {
  load.helpOption('-h, --help', 'print this help').allowExcessArguments(false);
  addLoadOptions(load);
  addReadBackOptions(load);
  return load.addHelpText('after', examples(name)).action((options: LoadOptions) => {
    const problem = conflictIn(options);
    if (problem !== undefined) load.error(`error: ${problem}`);
    chosen(options);
  });
}

/** @param byDefault as a user would write it */
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
  load.option('--tls', 'devices speak TLS (default port: TCP_TLS_PORT)', false);
  load.option('--tls-ca <file>', 'PEM of the CAs that are trusted (default: those of the system)');
  load.option('--tls-cert <file>', 'PEM of the certificate of the devices; needs --tls-key');
  load.option('--tls-key <file>', 'PEM of its key');
  add(load, ['-c, --connections <count>', 'number of devices'], parse.count, '100');
  add(load, ['--processes <count>', 'processes that the devices are spread over'], parse.count, '1');
  add(load, ['-r, --rate <messages/s>', 'over all devices; max: at full speed'], parse.rate, '1000');
  add(load, ['-d, --duration <duration>', 'of the load; with --step, of each step'], parse.duration, '10s');
  add(load, ['--ramp <duration>', 'before the load: devices connect one by one'], parse.duration, '0');
  add(load, ['--warm-up <duration>', 'start of the load whose latencies do not count'], parse.duration, '0');
  add(load, ['--step <messages/s | percent>', 'raise the rate by this until a step fails'], parse.step);
  add(load, ['--max-p99 <ms>', 'highest p99 allowed (default with --step: 100)'], parse.milliseconds);
  add(load, ['--size <bytes>', 'of a line (default: 170; in a batch 150 a reading)'], parse.size);
  add(load, ['--shape <shape>', 'flat, nested, pairs (name=value text), batch:N'], parse.shape, 'flat');
  add(load, ['--per-write <count>', 'lines in one write of a device'], parse.count, '1');
  load.option('--no-seq', 'do not ask for confirmations');
  add(load, ['--window <count>', 'unconfirmed messages that a device may have'], parse.count, '1000');
  add(load, ['--bad <share>', 'of lines that must be refused, such as 0.01 or 1%'], parse.share, '0');
  add(load, ['--slow-readers <count>', 'devices that read their replies slowly'], parse.whole, '0');
  add(load, ['--churn <share>', 'of devices that reconnect each second'], parse.share, '0');
  add(load, ['--think <duration>', 'between a reply and the next write; needs --rate max'], parse.duration);
  add(load, ['--zipcodes <count>', 'different ones (default: one a device, up to 1000)'], parse.count);
  add(load, ['--tags <count>', 'that each device identifies with'], parse.tags, '0');
  load.option('--device-ids', 'each device identifies with a device_id', false);
  add(load, ['--lines <framing>', 'send plain lines to TCP_LINES_PORT: lf, octet-counted'], parse.framing);
  load.option('--token <token>', 'that the devices identify with');
  add(load, ['--seed <number>', 'of the random values'], parse.whole, '1');
}

function addReadBackOptions(load: Command): void {
  add(load, ['--brokers <host:port,...>', 'Kafka to read from (default: KAFKA_BROKERS)'], parse.brokers);
  add(load, ['--topic <name>', 'topic to read (default: KAFKA_TOPIC_METRICS)'], parse.topic);
  load.option('--no-read-back', 'do not read the topic; then nothing is proved');
  load.option('--no-live', 'read the topic after the load; then consumer latency is not measured');
  add(load, ['--settle <duration>', 'without progress: the rest counts as lost'], parse.duration, '10s');
  add(load, ['--reconnect <duration>', 'without Kafka: loss counts as unknown'], parse.duration, '2m');
  load.option('--json <file>', 'also write all results to this file');
}
