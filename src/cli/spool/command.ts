// Defines the `sluice spool` commands and checks their options. run.ts runs them.
import { type Command, Option } from 'commander';
import { brokerList, duration, wholeNumber } from '../option-values.ts';

interface DirectoryOption {
  /** Used instead of SPOOL_DIR. */
  readonly dir?: string;
}

export interface LsOptions extends DirectoryOption {
  readonly json?: true;
}

export interface CatOptions extends DirectoryOption {
  readonly topic?: string;
  readonly partition?: number;
  readonly from?: number;
  readonly limit?: number;
  readonly all?: true;
  readonly valueOnly?: true;
  readonly deadLetters?: true;
}

export interface DrainOptions extends DirectoryOption {
  readonly brokers: string;
  readonly topic?: string;
  readonly timeout: number;
}

export interface RmOptions extends DirectoryOption {
  readonly yes?: true;
}

export type SpoolCommand =
  | { readonly name: 'ls'; readonly options: LsOptions }
  | { readonly name: 'verify'; readonly options: DirectoryOption }
  | { readonly name: 'cat'; readonly options: CatOptions }
  | { readonly name: 'drain'; readonly options: DrainOptions }
  | { readonly name: 'rm'; readonly options: RmOptions };

const DRAIN_TIMEOUT_MS = 600_000;

/** `chosen` is called while the command line is parsed. */
export function defineSpool(spool: Command, chosen: (command: SpoolCommand) => void): void {
  const add = (name: string, description: string) =>
    spool
      .command(name)
      .description(description)
      .option('--dir <directory>', 'the spool, instead of SPOOL_DIR');

  add('ls', 'list the logs of the spool; safe beside a running gateway')
    .option('--json', 'print JSON for programs')
    .action((options: LsOptions) => chosen({ name: 'ls', options }));

  add('verify', 'check every checksum; exit code 1 if there is damage; safe beside a running gateway').action(
    (options: DirectoryOption) => chosen({ name: 'verify', options }),
  );

  add('cat', 'print records as lines of JSON; safe beside a running gateway')
    .option('--topic <name>', 'only records of this topic')
    .option('--dead-letters', 'dead letters with their headers, instead of readings')
    .option('--partition <number>', 'only records of this partition', wholeNumber)
    .option(
      '--from <offset>',
      "only records from this offset of the spool on; Kafka's offsets differ",
      wholeNumber,
    )
    .option('--limit <count>', 'print at most this many', wholeNumber)
    .option('--all', 'also records that Kafka has and that are still on disk')
    .option('--value-only', 'only the values, one per line')
    .action((options: CatOptions) => chosen({ name: 'cat', options }));

  add('drain', 'send the spool to Kafka, as the gateway would; refused beside a running gateway')
    .requiredOption('--brokers <host:port,...>', 'brokers to send to', brokerList)
    .option(
      '--topic <name>',
      'only records of this topic; the one of KAFKA_TOPIC_DEAD_LETTERS selects the dead letters',
    )
    .addOption(
      new Option('--timeout <duration>', 'stop after this time; the rest stays on disk')
        .argParser(duration)
        .default(DRAIN_TIMEOUT_MS, '10m'),
    )
    .action((options: DrainOptions) => chosen({ name: 'drain', options }));

  add('rm', 'remove damaged bytes that were set aside, never records; refused beside a running gateway')
    .option('--yes', 'do not ask')
    .action((options: RmOptions) => chosen({ name: 'rm', options }));
}

/** Settings from the options, which take precedence over the environment. */
export function settingsFrom({ name, options }: SpoolCommand): Record<string, string> {
  return {
    ...(options.dir === undefined ? {} : { SPOOL_DIR: options.dir }),
    ...(name === 'drain' ? { KAFKA_BROKERS: options.brokers } : {}),
  };
}
