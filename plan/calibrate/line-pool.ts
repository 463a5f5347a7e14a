// The lines of the calibration: readings of a given length with values at random, made once.
import { seededRandom } from '../../load/random.ts';

const LINES = 5_000;
const SEED = 20_261_129;
/** The end of each line, after the digits that are cut to fit. */
const TAIL = '"}}\n';
const FIELDS = ['temperature', 'humidity', 'pressure', 'wind_speed', 'rainfall'] as const;

/** The shortest line: head, one field, and the end. */
export const MIN_LINE_BYTES = 100;

export class LinePool {
  /** What follows the seq. */
  readonly #ends: readonly string[];
  readonly #lineBytes: number;
  #next = 0;

  /** @param lineBytes of each line with its LF, at least MIN_LINE_BYTES */
  constructor(lineBytes: number) {
    if (lineBytes < MIN_LINE_BYTES) throw new RangeError(`a line has at least ${MIN_LINE_BYTES} bytes`);
    this.#lineBytes = lineBytes;
    const random = seededRandom(SEED);
    this.#ends = Array.from({ length: LINES }, () => endOf(random, lineBytes));
  }

  next(seq: number): string {
    const head = `{"type":"metrics","seq":${seq},`;
    const end = this.#ends[this.#next++ % LINES] ?? '';
    // The end was made for a seq without digits, so digits of the last value are cut off in its place.
    const cut = end.length + head.length - this.#lineBytes;
    return `${head}${end.slice(0, end.length - TAIL.length - cut)}${TAIL}`;
  }
}

/** At least as long as a line with a short head needs. It ends with a string of digits, which can be shortened. */
function endOf(random: () => number, lineBytes: number): string {
  const values: string[] = [];
  let length = '{"type":"metrics","seq":,'.length + `"data":{"id":"${TAIL}`.length;
  for (let n = 0; ; n++) {
    const name = FIELDS[n % FIELDS.length] ?? '';
    const value = `"${name}${n < FIELDS.length ? '' : `_${n}`}":${(random() * 100).toFixed(2)}`;
    // Room for the digits of seq, and of the last value.
    if (length + value.length + 1 > lineBytes - 24) break;
    values.push(value);
    length += value.length + 1;
  }
  const missing = lineBytes - length;
  const digits = Array.from({ length: missing }, () => Math.floor(random() * 10)).join('');
  return `"data":{${values.map((value) => `${value},`).join('')}"id":"${digits}${TAIL}`;
}
