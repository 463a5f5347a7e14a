// Reads device, number, time and checksum out of the value of a record. Finds them by their place: a JSON parser would
// be too slow for every record of the topic.
import { crc32c } from '../../src/checksum/crc32c.ts';
import { CRC_DIGITS, CRC_TAIL_BYTES } from '../devices/reading-text.ts';

/** `foreign`: not of this run. `corrupted`: of this run, but not as sent. */
export type Seen =
  | { readonly kind: 'foreign' | 'corrupted' }
  | {
      readonly kind: 'reading';
      readonly device: number;
      readonly connection: number;
      readonly n: number;
      readonly dueUs: number;
    };

const FOREIGN: Seen = { kind: 'foreign' };
const CORRUPTED: Seen = { kind: 'corrupted' };
const DATA = Buffer.from(',"data":');
const CONNECTION = Buffer.from('","conn":');
const NUMBER = Buffer.from(',"n":');
const DUE = Buffer.from(',"due_us":');

/** The tags of a device: its number, and words that no other tag has. */
export function deviceTags(index: number, count: number): Record<string, unknown> {
  const names = Array.from({ length: count }, (_, tag) => [`tag${tag}`, tag === 0 ? index : `value ${tag}`]);
  return Object.fromEntries(names);
}

/** A device's name in the records. */
export const deviceName = (run: string, index: number): string => `${run}.${index}`;

export class RecordReader {
  readonly #open: Buffer;
  readonly #tagCount: number;
  /** By device, as they stand in its records. */
  readonly #tags: Buffer[] = [];

  /** @param run the name of the run @param tags that each device has */
  constructor(run: string, tags = 0) {
    this.#tagCount = tags;
    this.#open = Buffer.from(`{"device":"${run}.`);
  }

  read(value: Buffer): Seen {
    // A plain line is the reading itself, if the gateway does not wrap it.
    const isPlain = startsWith(value, 0, this.#open);
    const data = isPlain ? 0 : value.indexOf(DATA);
    const from = isPlain ? 0 : data + DATA.length;
    if (data < 0 || !startsWith(value, from, this.#open)) return FOREIGN;
    // Checksum and end of the reading, then the brace of the record.
    const crcAt = value.length - (isPlain ? 0 : 1) - CRC_TAIL_BYTES;
    if (crcAt <= from) return CORRUPTED;
    const crc = crc32c(value.subarray(from, crcAt)).toString(16).padStart(CRC_DIGITS, '0');
    if (value.toString('latin1', crcAt) !== `,"crc":"x${crc}"}${isPlain ? '' : '}'}`) return CORRUPTED;
    const seen = this.#fields(value, from + this.#open.length);
    return seen.kind === 'reading' && !this.#hasTags(value.subarray(0, data), seen.device) ? CORRUPTED : seen;
  }

  #hasTags(head: Buffer, device: number): boolean {
    if (this.#tagCount === 0) return true;
    this.#tags[device] ??= Buffer.from(`,"tags":${JSON.stringify(deviceTags(device, this.#tagCount))}`);
    return head.includes(this.#tags[device]);
  }

  #fields(value: Buffer, from: number): Seen {
    const cursor = { at: from };
    const device = number(value, cursor, CONNECTION);
    const connection = number(value, cursor, NUMBER);
    const n = number(value, cursor, DUE);
    const dueUs = number(value, cursor, undefined);
    if (device < 0 || connection < 0 || n < 0 || dueUs < 0) return CORRUPTED;
    return { kind: 'reading', device, connection, n, dueUs };
  }
}

/** The number at the cursor; -1 if there is none or `then` does not follow. Moves the cursor behind `then`. */
function number(value: Buffer, cursor: { at: number }, then: Buffer | undefined): number {
  let result = 0;
  const from = cursor.at;
  for (;;) {
    const digit = (value[cursor.at] ?? 0) - 48;
    if (digit < 0 || digit > 9) break;
    result = result * 10 + digit;
    cursor.at++;
  }
  if (cursor.at === from || !Number.isSafeInteger(result)) return -1;
  if (then !== undefined && !startsWith(value, cursor.at, then)) return -1;
  cursor.at += then?.length ?? 0;
  return result;
}

function startsWith(value: Buffer, at: number, expected: Buffer): boolean {
  if (at + expected.length > value.length) return false;
  for (let index = 0; index < expected.length; index++) {
    if (value[at + index] !== expected[index]) return false;
  }
  return true;
}
