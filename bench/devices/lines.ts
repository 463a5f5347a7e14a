// The lines of the bench: weather readings of about 170 bytes with varying values. Every process makes the same lines,
// so that JSON.parse is measured on the lines that the server gets.
import { seededRandom } from '../../load/random.ts';

/** So many that a record batch rarely holds a line twice. Repeats would compress too well. */
export const POOL_LINES = 20_000;
/** Every seq has ten digits, so one can be written over another. */
export const FIRST_SEQ = 1_000_000_000;
/** Offset of the digits of `seq`. */
export const SEQ_OFFSET = '{"type":"metrics","seq":'.length;
export const SEQ_DIGITS = 10;

/** Offsets of a stamp's digits, from the end of a line without LF. */
export const STAMP_N_FROM_END = '0000000000,"sent_ms":0000000000000.000}}'.length;
export const STAMP_MS_FROM_END = '0000000000000.000}}'.length;

const SEED = 20_261_121;
const FIRST_TIMESTAMP = Date.UTC(2026, 10, 21);

/** A line of the latency scenario carries this to the consumer. */
export interface Stamp {
  /** Number of the message over all connections, from FIRST_SEQ. */
  readonly n: number;
  /** When the message was due: milliseconds since 1970, with fractions. */
  readonly sentMs: number;
}

/** Metrics messages with flat or nested readings, or plain lines: nothing but a flat reading. */
export type LineForm = 'flat' | 'nested' | 'plain';

export interface PoolOptions {
  /** Absent: flat. */
  readonly form?: LineForm | undefined;
  readonly seq: boolean;
  readonly stamped: boolean;
}

/** The lines without LF. */
export function linePool({ form = 'flat', seq, stamped }: PoolOptions): string[] {
  const random = seededRandom(SEED);
  return Array.from({ length: POOL_LINES }, (_, n) => {
    const stamp = stamped ? { n: FIRST_SEQ + n, sentMs: FIRST_TIMESTAMP + n * 0.517 } : undefined;
    return weatherLine(random, { form, seq: seq ? FIRST_SEQ + n : undefined, stamp });
  });
}

interface LineOptions {
  readonly form: LineForm;
  readonly seq: number | undefined;
  readonly stamp: Stamp | undefined;
}

/** One line without LF. */
function weatherLine(random: () => number, { form, seq, stamp }: LineOptions): string {
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
  const reading = { ...common, ...rest };
  if (form === 'plain') return JSON.stringify(reading);
  const line = JSON.stringify({ ...head, data: form === 'nested' ? nested(reading) : reading });
  // Always three decimals, so that another time can be written over it.
  return stamp === undefined ? line : `${line.slice(0, -2)},"sent_ms":${stamp.sentMs.toFixed(3)}}}`;
}

/** The same values in an object and an array. */
function nested(reading: Readonly<Record<string, unknown>>): object {
  const { timestamp, temperature, humidity, pressure, ...others } = reading;
  return { timestamp, air: { temperature, humidity, pressure }, others: Object.values(others) };
}
