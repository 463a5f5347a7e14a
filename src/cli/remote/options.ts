// Defines the commands that ask a running gateway, with their options. It checks them and asks nothing.
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { pathOfPage } from '../../config/pages.ts';
import { LOG_LEVELS } from '../../config/settings.ts';
import { duration, durationFrom, wholeNumber } from '../option-values.ts';

export interface GatewayOptions {
  /** Used instead of HTTP_HOST and HTTP_PORT. */
  readonly url?: string;
  /** Used instead of HTTP_TOKEN. */
  readonly tokenFile?: string;
}

interface JsonOption extends GatewayOptions {
  readonly json?: true;
}

export interface StatsWish extends JsonOption {
  readonly groups: readonly string[];
}

export type HealthWish = JsonOption;

export interface DrainWish extends GatewayOptions {
  readonly yes?: true;
  readonly wait?: true;
  readonly timeout: number;
}

export interface LogLevelWish extends GatewayOptions {
  readonly level: string | undefined;
}

const SORTS = ['rate', 'bytes', 'lines', 'errors', 'age'] as const;
export type Sort = (typeof SORTS)[number];

export interface ConnectionsWish extends JsonOption {
  readonly search?: string;
  readonly device?: string;
  readonly address?: string;
  readonly zipcode?: string;
  readonly process?: number;
  readonly closed?: true;
  readonly sort?: Sort;
  readonly reverse?: true;
  readonly limit: number;
  readonly all?: true;
}

export interface KickWish extends GatewayOptions {
  readonly device?: string;
  readonly connection?: string;
  readonly address?: string;
  readonly delay?: number;
}

export interface TapWish extends JsonOption {
  readonly device?: string;
  readonly address?: string;
  readonly zipcode?: string;
  readonly refused?: true;
  readonly limit?: number;
  readonly for?: number;
}

export interface ProfileWish extends GatewayOptions {
  readonly seconds: number;
  readonly heap?: true;
  readonly process?: string;
  readonly output?: string;
}

export interface TopWish extends GatewayOptions {
  readonly once?: true;
  readonly sort: Sort;
  readonly interval: number;
  readonly giveUp: number;
}

const HELP = `
The token is HTTP_TOKEN or the content of HTTP_TOKEN_FILE, from the environment or .env, or that of --token-file.
Exit codes: 0 done; 1 the answer is no; 64 wrong command line; 69 no answer; 75 busy, try later; 76 no Sluice, or an
older one; 77 no token, or a wrong one. More: ${pathOfPage('docs/operating.md')}`;

const MAX_TEXT = 256;

function asksGateway(command: Command): Command {
  return command
    .option('--url <url>', 'the admin port (default: HTTP_HOST and HTTP_PORT)')
    .option('--token-file <file>', 'the file with its token')
    .addHelpText('after', HELP);
}

type Chosen<Wish> = (wish: Wish) => void;

export function defineStats(command: Command, chosen: Chosen<StatsWish>): void {
  asksGateway(command)
    .argument(
      '[groups...]',
      'only figures whose name begins with one of these, such as spool or lines.refused',
    )
    .option('--json', 'print /stats as JSON')
    .action((groups: string[], options: JsonOption) => chosen({ ...options, groups }));
}

export function defineHealth(command: Command, chosen: Chosen<HealthWish>): void {
  asksGateway(command).option('--json', 'print /health as JSON').action(chosen);
}

export function defineDrain(command: Command, chosen: Chosen<DrainWish>): void {
  asksGateway(command)
    .option('--yes', 'do not ask')
    .option('--wait', 'wait until the gateway has ended')
    .addOption(
      new Option('--timeout <duration>', 'with --wait: give up after this time')
        .argParser(duration)
        .default(1_800_000, '30m'),
    )
    .action(chosen);
}

export function defineLogLevel(command: Command, chosen: Chosen<LogLevelWish>): void {
  asksGateway(command)
    .addArgument(new Argument('[level]', 'set this level, until the next start').choices(LOG_LEVELS))
    .action((level: string | undefined, options: GatewayOptions) => chosen({ ...options, level }));
}

export function defineConnections(command: Command, chosen: Chosen<ConnectionsWish>): void {
  whichDevices(asksGateway(command))
    .option(
      '--search <text>',
      'only with this text in device_id, address, zipcode, city or connection id',
      short,
    )
    .option('--process <number>', 'only of this server process', wholeNumber)
    .option('--closed', 'the connections that were closed last, with the reason')
    .addOption(
      new Option('--sort <order>', 'sort by this, most first (default: age, or the last closed)').choices(
        SORTS,
      ),
    )
    .option('--reverse', 'sort least first')
    .addOption(
      new Option('--limit <count>', 'show at most this many').argParser(wholeNumber).default(50, '50'),
    )
    .option('--all', 'show all of them')
    .option('--json', 'print a line of JSON for each connection')
    .action(chosen);
}

export function defineKick(command: Command, chosen: Chosen<KickWish>): void {
  asksGateway(command)
    .option('--device <id>', 'close the connection of this device', short)
    .option('--connection <id>', 'close the connection with this id', short)
    .option('--address <address>', 'close all connections from this address', short)
    .option(
      '--delay <duration>',
      'tell the device to reconnect after this time, up to 5m (default: 5s to 10s)',
      durationFrom(0),
    )
    .action((options: KickWish) => {
      const named = [options.device, options.connection, options.address].filter((one) => one !== undefined);
      if (named.length !== 1) command.error('error: use one of --device, --connection and --address');
      chosen(options);
    });
}

export function defineTap(command: Command, chosen: Chosen<TapWish>): void {
  whichDevices(asksGateway(command))
    .option('--refused', 'only refused lines')
    .option('--limit <count>', 'show at most this many lines a second, up to 100 (default: 10)', wholeNumber)
    .option('--for <duration>', 'end after this time, up to 10m (default: 10m)', duration)
    .option('--json', 'print a line of JSON for each event')
    .action(chosen);
}

export function defineProfile(command: Command, chosen: Chosen<ProfileWish>): void {
  asksGateway(command)
    .addOption(
      new Option('--seconds <count>', 'length of the CPU profile, up to 60')
        .argParser(wholeNumber)
        .default(10, '10'),
    )
    .option(
      '--heap',
      'take a heap snapshot: it holds every secret of the process, which stands still meanwhile',
    )
    .option(
      '--process <number>',
      'take it of this server process, or of the `first` one of several (default: 0)',
    )
    .option(
      '--output <file>',
      'write to this file, which must not exist yet (default: the name that the gateway gives)',
    )
    .action(chosen);
}

export function defineTop(command: Command, chosen: Chosen<TopWish>): void {
  asksGateway(command)
    .option('--once', 'print the figures of one interval and end, as without a terminal')
    .addOption(new Option('--sort <order>', 'sort the connections by this').choices(SORTS).default('rate'))
    .addOption(
      new Option('--interval <duration>', 'time between two looks, 200ms to 1m')
        .argParser(interval)
        .default(1000, '1s'),
    )
    .addOption(
      new Option('--give-up <duration>', 'end if the gateway has not answered for this time')
        .argParser(duration)
        .default(60_000, '1m'),
    )
    .action(chosen);
}

function whichDevices(command: Command): Command {
  return command
    .option('--device <id>', 'only of this device', short)
    .option('--address <address>', 'only of this address', short)
    .option('--zipcode <zipcode>', 'only of this zipcode', short);
}

/** The gateway refuses longer texts. */
function short(text: string): string {
  if (text === '' || text.length > MAX_TEXT)
    throw new InvalidArgumentError(`allowed: 1 to ${MAX_TEXT} characters.`);
  return text;
}

function interval(text: string): number {
  const ms = duration(text);
  if (ms < 200 || ms > 60_000) throw new InvalidArgumentError('allowed: a duration from 200ms to 1m.');
  return ms;
}
