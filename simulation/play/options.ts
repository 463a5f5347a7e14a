// The options of `npm run simulate`.
import { parseArgs } from 'node:util';
import { FAULTS } from './faults/table.ts';

export interface SimulateOptions {
  readonly seed: number;
  /** Whether the seed was given. Otherwise it is random. */
  readonly isSeedGiven: boolean;
  readonly steps: number;
  /** New seeds follow for so long. Infinity: until `histories` are played. */
  readonly minutes: number;
  /** At most so many histories. */
  readonly histories: number;
  readonly kinds: readonly string[];
  /** As it was written, for the command that replays a failure. */
  readonly kindsText: string | undefined;
  /** Numbers of the steps that are played. Undefined for all. */
  readonly only: readonly number[] | undefined;
  readonly devices: number | undefined;
  /** How long the devices send, in simulated milliseconds. Undefined: until after the last step. */
  readonly lastsMs: number | undefined;
  readonly prints: {
    readonly trace: boolean;
    readonly json: boolean;
  };
  readonly shrinks: boolean;
  /** Plays each history twice, and compares the hashes. */
  readonly checksReplay: boolean;
}

export const USAGE = `usage: npm run simulate -- [options]
  --seed S          the first seed; a random one if it is left out
  --steps N         steps of each history, that is faults (15)
  --minutes M       new seeds follow for M minutes; without it one history is played
  --histories H     at most H histories, each with the next seed
  --faults LIST     none, or some of the kinds below, with commas between them
  --only LIST       numbers of the steps that are played; none = no step
  --devices N       devices, in place of the number that the seed gives
  --lasts MS        how long the devices send, in simulated milliseconds
  --trace           prints the whole trace
  --replay-check    plays each history twice and compares the hashes
  --no-shrink       leaves a failure as it is
  --json            a failure is one line of JSON
  --mutants ...     plays mutants of the code (--mutants --help)
exit code: 0 if every promise held, 1 if a history failed, 2 if the options are wrong
kinds of faults:`;

const DEFAULT_STEPS = 15;
const MAX_SEED = 2 ** 31;
/** Each device is an object of the simulation, and a history has thousands of messages of each. */
const MAX_DEVICES = 1_000;
const MAX_STEPS = 10_000;

/** Undefined if the help was asked for. @throws Error with a text for people */
export function parseOptions(args: readonly string[]): SimulateOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      steps: { type: 'string', default: String(DEFAULT_STEPS) },
      minutes: { type: 'string' },
      histories: { type: 'string' },
      faults: { type: 'string' },
      only: { type: 'string' },
      devices: { type: 'string' },
      lasts: { type: 'string' },
      trace: { type: 'boolean', default: false },
      'replay-check': { type: 'boolean', default: false },
      'no-shrink': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const seed = values.seed === undefined ? Math.floor(Math.random() * MAX_SEED) : whole('seed', values.seed);
  const steps = whole('steps', values.steps, { max: MAX_STEPS });
  const histories =
    values.histories === undefined ? undefined : whole('histories', values.histories, { min: 1 });
  const endless = histories === undefined ? 0 : Number.POSITIVE_INFINITY;
  return {
    seed,
    isSeedGiven: values.seed !== undefined,
    steps,
    minutes: values.minutes === undefined ? endless : amount('minutes', values.minutes),
    histories: histories ?? Number.POSITIVE_INFINITY,
    kinds: kindsOf(values.faults),
    kindsText: values.faults,
    only:
      values.only === undefined
        ? undefined
        : listOf(values.only).map((text) => whole('only', text, { min: 1, max: steps })),
    devices:
      values.devices === undefined
        ? undefined
        : whole('devices', values.devices, { min: 1, max: MAX_DEVICES }),
    lastsMs: values.lasts === undefined ? undefined : amount('lasts', values.lasts),
    prints: { trace: values.trace, json: values.json },
    shrinks: !values['no-shrink'],
    checksReplay: values['replay-check'],
  };
}

function kindsOf(text: string | undefined): readonly string[] {
  const all = FAULTS.map(({ name }) => name);
  const wanted = text === undefined ? all : listOf(text);
  const unknown = wanted.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`--faults: no kind of fault has the name ${unknown.join(', ')}`);
  return wanted;
}

const listOf = (text: string): string[] => (text === 'none' || text === '' ? [] : text.split(','));

function whole(name: string, text: string, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}): number {
  const value = text === '' ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw new Error(`--${name} ${text}: has to be a whole number from ${min} to ${max}`);
  return value;
}

function amount(name: string, text: string): number {
  const value = Number(text);
  if (text === '' || !(value >= 0)) throw new Error(`--${name} ${text}: has to be a number from 0`);
  return value;
}
