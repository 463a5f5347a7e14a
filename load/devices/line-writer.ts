// Writes the lines of one device into a buffer. The constant parts of a connection are copied; only digits are written
// for each line, so that the load costs little CPU.
import { crc32c } from '../../src/checksum/crc32c.ts';
import { type Framing, readingsOf, type Shape } from '../plan.ts';
import {
  DUE_DIGITS,
  JSON_STYLE,
  type Layout,
  NESTED_STYLE,
  PAIRS_STYLE,
  ReadingTexts,
  writeDigits,
} from './reading-text.ts';

export interface LineFormat {
  readonly shape: Shape;
  readonly seq: boolean;
  /** A line is nothing but the reading. */
  readonly lines?: Framing | undefined;
  /** Length of a line with its LF. */
  readonly sizeBytes: number;
}

const SEQ_HEAD = '{"type":"metrics","seq":';
const DATA = ',"data":';
const PLAIN_HEAD = '{"type":"metrics","data":';
/** The digits of a length and a space. */
const MAX_COUNT_BYTES = 8;
const BRACKETS = {
  flat: ['', '}\n'],
  nested: ['', '}\n'],
  pairs: ['"', '"}\n'],
  batch: ['[', ']}\n'],
} as const;

/** Shared by all devices of a process. */
export class LineTexts {
  readonly format: LineFormat;
  readonly json: ReadingTexts;
  readonly pairs: ReadingTexts | undefined;
  /** Holds the JSON of a reading that is sent as pairs, for its checksum. */
  readonly scratch: Buffer;

  constructor(format: LineFormat, seed: number) {
    this.format = format;
    this.json = new ReadingTexts(format.shape.kind === 'nested' ? NESTED_STYLE : JSON_STYLE, seed);
    this.pairs = format.shape.kind === 'pairs' ? new ReadingTexts(PAIRS_STYLE, seed) : undefined;
    this.scratch = Buffer.alloc(format.shape.kind === 'pairs' ? format.sizeBytes * 2 + 1024 : 0);
  }
}

type Head = ReturnType<ReadingTexts['head']>;

/** The start of a reading whose `n` has a given number of digits. */
interface Heads {
  readonly json: Head;
  readonly sent: Head;
}

export class LineWriter {
  readonly #texts: LineTexts;
  readonly #device: string;
  readonly #readings: number;
  #connection = 0;
  /** From this message on, numbers have more digits, so the constant parts are built again. */
  #limit = 0;
  #seqAt = 0;
  #seqDigits = 0;
  #nDigits = 0;
  /** Readings from this `n` on have #nDigits digits; earlier ones in the same message have fewer. */
  #nLow = 0;
  #lineHead = Buffer.alloc(0);
  #lineTail = Buffer.alloc(0);
  #heads: (Heads | undefined)[] = [];
  #layouts: readonly Layout[] = [];

  /** @param device its name in the records */
  constructor(texts: LineTexts, device: string) {
    this.#texts = texts;
    this.#device = device;
    this.#readings = readingsOf(texts.format.shape);
  }

  /** @param connection number of the device's new connection, from 1 */
  connected(connection: number): void {
    this.#connection = connection;
    this.#limit = 0;
  }

  /** Upper limit for the length of a line. */
  get maxBytes(): number {
    return this.#texts.format.sizeBytes + 64;
  }

  /** Writes message `number`, counted from 0, due at `dueUs`. Returns where it ends. */
  write(out: Buffer, from: number, number: number, dueUs: number): number {
    if (number >= this.#limit) this.#widen(number);
    if (this.#texts.format.lines === 'octet-counted') return this.#writeCounted(out, from, number, dueUs);
    let at = from + this.#lineHead.copy(out, from);
    if (this.#seqDigits > 0) writeDigits(out, from + this.#seqAt, this.#seqDigits, number);
    for (let index = 0; index < this.#readings; index++) {
      if (index > 0) out[at++] = 44;
      at = this.#writeReading(
        out,
        at,
        number * this.#readings + index,
        dueUs,
        this.#layouts[index] as Layout,
      );
    }
    return at + this.#lineTail.copy(out, at);
  }

  /** RFC 6587: the length of the message in digits, a space, the message. */
  #writeCounted(out: Buffer, from: number, number: number, dueUs: number): number {
    const layout = this.#layouts[0] as Layout;
    const room = from + MAX_COUNT_BYTES;
    const end = this.#writeReading(out, room, number, dueUs, layout);
    const at = from + out.write(`${end - room} `, from, 'latin1');
    out.copyWithin(at, room, end);
    return at + end - room;
  }

  #writeReading(out: Buffer, from: number, n: number, dueUs: number, layout: Layout): number {
    const { json, pairs, scratch } = this.#texts;
    const digits = n >= this.#nLow ? this.#nDigits : String(n).length;
    const heads = this.#headsOf(digits);
    if (pairs === undefined) {
      const at = writeOpen(out, from, heads.json, { digits, n, dueUs });
      const end = json.writeBody(out, at, layout, n);
      return json.writeCrc(out, end, crc32c(out.subarray(from, end)));
    }
    // The checksum covers the JSON that the gateway makes of the pairs.
    const opened = writeOpen(scratch, 0, heads.json, { digits, n, dueUs });
    const crc = crc32c(scratch.subarray(0, json.writeBody(scratch, opened, layout, n)));
    const at = writeOpen(out, from, heads.sent, { digits, n, dueUs });
    return pairs.writeCrc(out, pairs.writeBody(out, at, layout, n), crc);
  }

  #headsOf(digits: number): Heads {
    const known = this.#heads[digits];
    if (known !== undefined) return known;
    const json = this.#texts.json.head(this.#device, this.#connection, digits);
    const made = { json, sent: this.#texts.pairs?.head(this.#device, this.#connection, digits) ?? json };
    this.#heads[digits] = made;
    return made;
  }

  /** Builds the constant parts for the digits of `number`. */
  #widen(number: number): void {
    const { json, pairs, format } = this.#texts;
    this.#heads = [];
    const seqDigits = String(number).length;
    this.#nDigits = String(number * this.#readings + this.#readings - 1).length;
    this.#nLow = this.#nDigits === 1 ? 0 : 10 ** (this.#nDigits - 1);
    this.#seqDigits = format.seq ? seqDigits : 0;
    this.#limit = Math.min(10 ** seqDigits, Math.floor(10 ** this.#nDigits / this.#readings));
    const [open, close] = format.lines === undefined ? BRACKETS[format.shape.kind] : ['', '\n'];
    const start =
      format.lines !== undefined
        ? ''
        : format.seq
          ? `${SEQ_HEAD}${'0'.repeat(seqDigits)}${DATA}`
          : PLAIN_HEAD;
    this.#seqAt = SEQ_HEAD.length;
    this.#lineHead = Buffer.from(start + open);
    this.#lineTail = Buffer.from(close);
    this.#layouts = this.#fit(pairs ?? json, this.#headsOf(this.#nDigits).sent.bytes.length);
  }

  /** Divides the remaining size among the readings; the last one gets the rest. */
  #fit(texts: ReadingTexts, headBytes: number): Layout[] {
    const commas = this.#readings - 1;
    const around = this.#lineHead.length + this.#lineTail.length + commas;
    const bodies = this.#texts.format.sizeBytes - around - this.#readings * (headBytes + texts.crcBytes);
    const each = Math.max(0, Math.floor(bodies / this.#readings));
    const last = Math.max(0, bodies - each * commas);
    return Array.from({ length: this.#readings }, (_, index) => texts.fit(index === commas ? last : each));
  }
}

function writeOpen(
  out: Buffer,
  from: number,
  { bytes, nAt, dueAt }: Head,
  { digits, n, dueUs }: { digits: number; n: number; dueUs: number },
): number {
  bytes.copy(out, from);
  writeDigits(out, from + nAt, digits, n);
  writeDigits(out, from + dueAt, DUE_DIGITS, dueUs);
  return from + bytes.length;
}
