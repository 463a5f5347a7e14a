// Defines the `sluice dead` commands and checks their options. run.ts runs them.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../../config/kinds.ts';
import { brokerList, duration, wholeNumber } from '../option-values.ts';

interface PlaceOptions {
  /** Used instead of SPOOL_DIR and KAFKA_BROKERS. */
  readonly dir?: string;
  readonly brokers?: string;
}

export interface SelectionOptions extends PlaceOptions {
  readonly topic?: string;
  readonly reason?: readonly string[];
  readonly code?: readonly string[];
  /** Milliseconds since 1970. */
  readonly since?: number;
  readonly until?: number;
  readonly partition?: number;
  readonly offset?: number;
}

export interface LsOptions extends SelectionOptions {
  readonly last?: number;
  /** Milliseconds. */
  readonly timeout: number;
  readonly json?: true;
}

export interface ShowOptions extends SelectionOptions {
  readonly last?: number;
  readonly limit: number;
  readonly timeout: number;
  readonly json?: true;
  readonly value?: true;
}

export interface ResendOptions extends SelectionOptions {
  readonly limit?: number;
  readonly withCopies?: true;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly timeout: number;
}

export type DeadCommand =
  | { readonly name: 'ls'; readonly options: LsOptions }
  | { readonly name: 'show'; readonly options: ShowOptions }
  | { readonly name: 'resend'; readonly options: ResendOptions };

const LOOK_MS = 60_000;
const RESEND_MS = 600_000;
const MAX_SHOWN = 1000;

const RESEND_HELP = `
A record that Kafka refused is sent as it was, to the topic that it was for. A line that the gateway refused is decoded
again: if it is valid now, it becomes the records that it would have been, with its own received_at. Other letters stay
where they are, and the plan says why. Letters on disk are sent to the topic of dead letters first, unless a gateway runs.

What was sent is remembered in SPOOL_DIR/resend, so use the same SPOOL_DIR each time. A run that ends early, even by
kill -9, loses and doubles nothing: the next one goes on.

Exit codes: 0 done, or nothing to do; 1 something is left, the text says what and why; 64 wrong command line, or nobody
to ask; 78 wrong settings, or another run`;

/** `chosen` is called while the command line is parsed. */
export function defineDead(dead: Command, chosen: (command: DeadCommand) => void): void {
  const add = (name: string, description: string) =>
    dead
      .command(name)
      .description(description)
      .option('--topic <name>', 'only letters that were for this topic')
      .option('--reason <reason...>', 'only letters with this reason')
      .option('--code <code...>', 'the same as --reason')
      .option('--since <time>', 'only letters received since then: 2h, or 2026-11-28T08:00:00Z', time)
      .option('--until <time>', 'only letters received before then', time)
      .option('--partition <number>', 'only this partition of the topic of dead letters', wholeNumber)
      .option('--offset <number>', 'only the letter with this offset', wholeNumber)
      .option('--brokers <host:port,...>', 'brokers, instead of KAFKA_BROKERS', brokerList)
      .option('--dir <directory>', 'the spool, instead of SPOOL_DIR');
  const timeout = (text: string, ms: number) =>
    new Option('--timeout <duration>', text).argParser(duration).default(ms, `${ms / 60_000}m`);
  const last = () =>
    new Option('--last <count>', 'look only at this many of the newest letters of each partition').argParser(
      wholeNumber,
    );

  add('ls', 'count the letters by reason and topic; safe beside a running gateway')
    .addOption(last())
    .addOption(timeout('stop counting after this time', LOOK_MS))
    .option('--json', 'print JSON for programs')
    .action((options: LsOptions) => chosen({ name: 'ls', options }));

  add('show', 'print letters whole, the newest last; safe beside a running gateway')
    .addOption(last())
    .addOption(
      new Option('--limit <count>', `print at most this many, the newest ones, up to ${MAX_SHOWN}`)
        .argParser(shown)
        .default(10),
    )
    .addOption(timeout('stop looking after this time', LOOK_MS))
    .option('--json', 'print JSON for programs, one line a letter')
    .addOption(new Option('--value', 'print only the lines and records, as they are').conflicts('json'))
    .action((options: ShowOptions) => chosen({ name: 'show', options }));

  add('resend', 'send letters again once the cause is mended')
    .option('--limit <count>', 'send at most this many letters', wholeNumber)
    .option('--with-copies', 'also lines that their devices have probably sent again')
    .addOption(new Option('--dry-run', 'print what would be sent, and send nothing').conflicts('yes'))
    .option('--yes', 'do not ask')
    .addOption(timeout('stop after this time; the next run goes on', RESEND_MS))
    .addHelpText('after', RESEND_HELP)
    .action((options: ResendOptions) => chosen({ name: 'resend', options }));
}

/** Settings from the options, which take precedence over the environment. */
export function deadSettings({ options }: DeadCommand): Record<string, string> {
  return {
    ...(options.dir === undefined ? {} : { SPOOL_DIR: options.dir }),
    ...(options.brokers === undefined ? {} : { KAFKA_BROKERS: options.brokers }),
  };
}

function shown(text: string): number {
  const count = wholeNumber(text);
  if (count < 1 || count > MAX_SHOWN) throw new InvalidArgumentError(`allowed: 1 to ${MAX_SHOWN}.`);
  return count;
}

function time(text: string): number {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return Date.now() - agoMs;
  const ms = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d.*)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('allowed: a duration back from now, such as 2h, or 2026-11-28T08:00:00Z.');
  return ms;
}
