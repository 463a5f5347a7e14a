// The lines that the bench sends: weather readings of about 170 bytes whose figures vary. The same seed gives
// the same lines in every process, so that JSON.parse is measured on what the server gets.
import { seededRandom } from '../../load/random.ts';

/** Enough that a record batch rarely holds a line twice: repeats would flatter the compression. */
export const POOL_LINES = 20_000;
/** Ten digits from the first to the last, so that a number can be written over another in place. */
export const FIRST_SEQ = 1_000_000_000;
/** Where the digits of `seq` begin in a line that has one. */
export const SEQ_OFFSET = '{"type":"metrics","seq":'.length;
export const SEQ_DIGITS = 10;

/** A stamp's figures, by where their digits begin before the end of a line without LF. */
export const STAMP_N_FROM_END = '0000000000,"sent_ms":0000000000000.000}}'.length;
export const STAMP_MS_FROM_END = '0000000000000.000}}'.length;

const SEED = 20_261_121;
const FIRST_TIMESTAMP = Date.UTC(2026, 10, 21);

/** What a line of the latency scenario carries to the consumer. */
export interface Stamp {
  /** Number of the message over all connections; ten digits, from FIRST_SEQ. */
  readonly n: number;
  /** When it was due, in milliseconds since 1970 with fractions. */
  readonly sentMs: number;
}

export interface PoolOptions {
  readonly seq: boolean;
  readonly stamped: boolean;
}

/** The lines without LF. */
export function linePool({ seq, stamped }: PoolOptions): string[] {
  const random = seededRandom(SEED);
  return Array.from({ length: POOL_LINES }, (_, n) => {
    const stamp = stamped ? { n: FIRST_SEQ + n, sentMs: FIRST_TIMESTAMP + n * 0.517 } : undefined;
    return weatherLine(random, seq ? FIRST_SEQ + n : undefined, stamp);
  });
}

/** One line without LF. `random` answers from 0 to below 1. */
function weatherLine(random: () => number, seq?: number, stamp?: Stamp): string {
  const figure = (low: number, high: number, digits: number) =>
    Number((low + random() * (high - low)).toFixed(digits));
  const timestamp = new Date(FIRST_TIMESTAMP + Math.floor(random() * 86_400) * 1000);
  const common = {
    timestamp: timestamp.toISOString().replace('.000Z', 'Z'),
    temperature: figure(-20, 40, 2),
    humidity: figure(10, 100, 1),
    pressure: figure(950, 1050, 2),
    wind_speed: figure(0, 30, 1),
  };
  const rest =
    stamp === undefined ? { wind_direction: figure(0, 359, 0), rainfall: figure(0, 20, 1) } : { n: stamp.n };
  const head = seq === undefined ? { type: 'metrics' } : { type: 'metrics', seq };
  const line = JSON.stringify({ ...head, data: { ...common, ...rest } });
  // Always three decimals, so that another time can be written over it in place.
  return stamp === undefined ? line : `${line.slice(0, -2)},"sent_ms":${stamp.sentMs.toFixed(3)}}}`;
}
