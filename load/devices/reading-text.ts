// The text of one reading. It is JSON, or `name=value` text that the gateway turns into the same JSON.
//
//   {"device":"r3f9a2c1.17","conn":1,"n":41,"due_us":1763712000123456,"temperature":21.53,"pad":"kfp","crc":"x0a1b2c3d"}
//
// - `n` counts the readings of a device from 0, over all its connections; `conn` counts the connections from 1
// - `due_us` is when the reading was due, microseconds since 1970 on the run's clock
// - `crc` is the CRC-32C of the JSON text before `,"crc"`; the x keeps the value a string
// - names and their order never change, so the reader needs no JSON parser
import { seededRandom } from '../random.ts';

/** The number of weather fields and the lengths of the paddings that give a reading its length. */
export interface Layout {
  readonly fields: number;
  readonly pads: readonly number[];
}

interface Style {
  /** Before the device's name. */
  readonly open: string;
  /** Before a number, and before a string. */
  number(name: string): string;
  string(name: string): string;
  readonly stringEnd: string;
  readonly close: string;
  /** The weather fields, each with its value as text. */
  fields(values: readonly (readonly [name: string, value: string])[]): string;
}

const jsonNumber = (name: string): string => `,"${name}":`;

export const JSON_STYLE: Style = {
  open: '{"device":"',
  number: jsonNumber,
  string: (name) => `,"${name}":"`,
  stringEnd: '"',
  close: '}',
  fields: (values) => values.map(([name, value]) => `${jsonNumber(name)}${value}`).join(''),
};

/** The weather fields stand in an object, every second one in an array: depth 3. */
export const NESTED_STYLE: Style = {
  ...JSON_STYLE,
  fields: (values) => {
    const inside = values.map(
      ([name, value], index) => `"${name}":${index % 2 === 0 ? value : `[${value}]`}`,
    );
    return `,"air":{${inside.join(',')}}`;
  },
};

export const PAIRS_STYLE: Style = {
  open: 'device=',
  number: (name) => `,${name}=`,
  string: (name) => `,${name}=`,
  stringEnd: '',
  close: '',
  fields: (values) => values.map(([name, value]) => `,${name}=${value}`).join(''),
};

export const DUE_DIGITS = 16;
export const CRC_DIGITS = 8;
/** Length of the text after the checked bytes: `,"crc":"x0a1b2c3d"}`. */
export const CRC_TAIL_BYTES = ',"crc":"x'.length + CRC_DIGITS + '"}'.length;

/** So many that a record batch rarely holds the same values twice. Repeats would compress too well. */
const VARIANTS = 4096;
const NAMES = ['temperature', 'humidity', 'pressure', 'wind_speed'] as const;
/** Lowest, highest, decimals. All values of a field have the same length, so a layout fits every variant. */
const RANGES = {
  temperature: [10, 40, 2],
  humidity: [10, 99, 1],
  pressure: [1000, 1050, 2],
  wind_speed: [10, 40, 1],
};
const MAX_PAD = 1000;
const PAD_TEXT_BYTES = 65_536;
const LETTERS = 'abcdefghijklmnop';

const zeros = (count: number): string => '0'.repeat(count);
const padName = (index: number): string => (index === 0 ? 'pad' : `pad${index + 1}`);

/** The texts of one style, for all devices of a process. */
export class ReadingTexts {
  readonly #style: Style;
  /** By number of fields. */
  readonly #variants: readonly (readonly Buffer[])[];
  readonly #padText: Buffer;
  readonly #padOpens: readonly Buffer[];
  readonly #stringEnd: Buffer;
  readonly #crc: Buffer;
  readonly #layouts = new Map<number, Layout>();

  /** The same seed gives both styles the same values. */
  constructor(style: Style, seed: number) {
    this.#style = style;
    const random = seededRandom(seed);
    this.#variants = variants(style, random);
    this.#padText = Buffer.from(
      Array.from({ length: PAD_TEXT_BYTES }, () => LETTERS[Math.floor(random() * LETTERS.length)]).join(''),
    );
    this.#padOpens = Array.from({ length: 50 }, (_, index) => Buffer.from(style.string(padName(index))));
    this.#stringEnd = Buffer.from(style.stringEnd);
    this.#crc = Buffer.from(`${style.string('crc')}x${zeros(CRC_DIGITS)}${style.stringEnd}${style.close}`);
  }

  /** The constant start of a device's readings, with room for the digits of `n` and of the time. */
  head(device: string, connection: number, digits: number): { bytes: Buffer; nAt: number; dueAt: number } {
    const { open, number, stringEnd } = this.#style;
    const before = `${open}${device}${stringEnd}${number('conn')}${connection}${number('n')}`;
    const middle = number('due_us');
    const bytes = Buffer.from(`${before}${zeros(digits)}${middle}${zeros(DUE_DIGITS)}`);
    return { bytes, nAt: before.length, dueAt: before.length + digits + middle.length };
  }

  get crcBytes(): number {
    return this.#crc.length;
  }

  /** As many fields as fit into `bytes`; padding fills the rest. */
  fit(bytes: number): Layout {
    let layout = this.#layouts.get(bytes);
    if (layout === undefined) {
      layout = this.#fit(bytes);
      this.#layouts.set(bytes, layout);
    }
    return layout;
  }

  /** Writes fields and padding. `pick` chooses the variant. Returns where the body ends. */
  writeBody(out: Buffer, from: number, { fields, pads }: Layout, pick: number): number {
    let at = from;
    at += this.#variant(fields, pick).copy(out, at);
    for (const [index, length] of pads.entries()) {
      at += (this.#padOpens[index] as Buffer).copy(out, at);
      const start = (pick * 31) % (PAD_TEXT_BYTES - MAX_PAD);
      at += this.#padText.copy(out, at, start, start + length);
      at += this.#stringEnd.copy(out, at);
    }
    return at;
  }

  /** Writes the checksum and the end of the reading. Returns where the reading ends. */
  writeCrc(out: Buffer, at: number, crc: number): number {
    this.#crc.copy(out, at);
    const digitsEnd = at + this.#crc.length - (this.#style.stringEnd + this.#style.close).length;
    let rest = crc;
    for (let digit = digitsEnd - 1; digit >= digitsEnd - CRC_DIGITS; digit--) {
      const nibble = rest & 15;
      out[digit] = nibble < 10 ? 48 + nibble : 87 + nibble;
      rest >>>= 4;
    }
    return at + this.#crc.length;
  }

  #variant(fields: number, pick: number): Buffer {
    return (this.#variants[fields] as readonly Buffer[])[pick % VARIANTS] as Buffer;
  }

  #fit(bytes: number): Layout {
    const smallestPad = (this.#padOpens[0] as Buffer).length + this.#stringEnd.length;
    for (let fields = NAMES.length; fields > 0; fields--) {
      const left = bytes - this.#variant(fields, 0).length;
      if (left === 0 || left >= smallestPad) return { fields, pads: this.#pads(left) };
    }
    return { fields: 0, pads: this.#pads(bytes) };
  }

  /** Lengths of paddings that take `bytes` with their names and quotes; none if `bytes` is too small. */
  #pads(bytes: number): number[] {
    const pads: number[] = [];
    for (let left = bytes; ; ) {
      const around = (index: number) => (this.#padOpens[index]?.length ?? Infinity) + this.#stringEnd.length;
      const own = around(pads.length);
      if (left < own) return pads;
      // The rest must be 0, or enough for one more padding.
      let length = Math.min(MAX_PAD, left - own);
      const after = left - own - length;
      if (after > 0 && after < around(pads.length + 1)) length -= around(pads.length + 1);
      pads.push(length);
      left -= own + length;
    }
  }
}

function variants(style: Style, random: () => number): Buffer[][] {
  const byFields: Buffer[][] = NAMES.map(() => []);
  for (let variant = 0; variant < VARIANTS; variant++) {
    const values: [string, string][] = [];
    for (const [index, name] of NAMES.entries()) {
      const [low, high, digits] = RANGES[name] as [number, number, number];
      // Below the upper bound, so that rounding never adds a digit.
      const figure = low + random() * (high - low) * 0.99;
      values.push([name, figure.toFixed(digits)]);
      byFields[index]?.push(Buffer.from(style.fields(values)));
    }
  }
  return [Array.from({ length: VARIANTS }, () => Buffer.alloc(0)), ...byFields];
}

/** Overwrites `digits` bytes with the decimal digits of a whole number. */
export function writeDigits(out: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let digit = at + digits - 1; digit >= at; digit--) {
    const next = Math.floor(rest / 10);
    out[digit] = 48 + (rest - next * 10);
    rest = next;
  }
}
