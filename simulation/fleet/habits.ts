// How a device behaves. Each habit is one that the gateway has to serve, or to survive.
import type { Random } from '../world/random.ts';

export interface Habits {
  /** Asks for confirmation. */
  readonly hasSeq: boolean;
  readonly hasDeviceId: boolean;
  /** Sends right behind its identify line, without waiting for `identified`. */
  readonly isHasty: boolean;
  /** Readings of a message. */
  readonly readings: readonly number[];
  /** Chance of a line that is refused, before each message. */
  readonly badLines: number;
  /** Chance that the connection is reset in the middle of a line, at each message. */
  readonly cutLines: number;
  /** Chance that it ends its sending side and waits for the rest of the replies, at each message. */
  readonly halfCloses: number;
  /** Chance that it stops reading for some seconds, at each message. */
  readonly stopsReading: number;
  /** Unconfirmed messages after which it waits. */
  readonly window: number;
  /** Messages that it sends at once. */
  readonly burst: number;
  /** Writes lines with other white space, order or escapes, so that they need the gateway's other parser. */
  readonly spells: boolean;
  /** Chance that its bytes stop in the middle of a line for up to some seconds, at each message. */
  readonly tears: number;
}

const STEADY: Habits = {
  hasSeq: true,
  hasDeviceId: true,
  isHasty: false,
  readings: [1],
  badLines: 0,
  cutLines: 0,
  halfCloses: 0,
  stopsReading: 0,
  window: 400,
  burst: 1,
  spells: false,
  tears: 0,
};

const KINDS: readonly Partial<Habits>[] = [
  {},
  {},
  { isHasty: true, readings: [1, 1, 3] },
  { hasSeq: false },
  { hasDeviceId: false, readings: [1, 2, 5] },
  { badLines: 0.1 },
  { badLines: 0.3, burst: 10, spells: true },
  { spells: true, readings: [1, 2, 20] },
  { spells: true, tears: 0.05, burst: 3 },
  { cutLines: 0.01 },
  { halfCloses: 0.02, isHasty: true },
  { stopsReading: 0.02, burst: 5 },
  { window: 1 },
  { burst: 20, readings: [1, 10] },
];

export function drawHabits(random: Random): Habits {
  return { ...STEADY, ...random.pick(KINDS) };
}
