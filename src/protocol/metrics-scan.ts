// The short cut for the usual line, {"type":"metrics","seq":1,"data":{object}}: one pass over the bytes that builds no
// object. It accepts only lines that decodeLine accepts with the same result, and leaves the rest to decodeLine: escapes,
// other orders of keys, non-ASCII, a possible duplicate name. The reading itself is scanned in reading-scan.ts.
import { CLOSE, COLON, COMMA, isDigit, OPEN, QUOTE, SPACE } from './json-scan.ts';
import { ReadingScan } from './reading-scan.ts';
import { isTraceparent, TRACEPARENT_LENGTH } from './traceparent.ts';

const TYPE_METRICS = Buffer.from('"type":"metrics",');
const SEQ = Buffer.from('"seq":');
const DATA = Buffer.from('"data":');
const TRACEPARENT = Buffer.from('"traceparent":"');
/** Bytes of `,"data":` and of the brace that closes the line. */
const AROUND_DATA = 1 + DATA.length + 1;
const ZERO = 0x30;

/** Holds the result of the last scan, so that a line costs no allocation. */
export class MetricsScan {
  /** -1 if the line had none. */
  seq = -1;
  /** The position of the value of `traceparent`, which has TRACEPARENT_LENGTH bytes. -1 if the line had none. */
  traceAt = -1;
  /** From here to its end the line is the text that recordTail would make, except for white space between tokens. */
  tailStart = 0;
  /** Bytes of that white space. */
  whitespace = 0;
  /** Bytes of the object in `data` without that white space. */
  readingBytes = 0;

  readonly #reading = new ReadingScan();

  /** Scans bytes[start, end). False means only that decodeLine has to decide. */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    // No loop checks `end`: the line is followed by an LF, by zeros or by the end of the buffer (undefined), and no state
    // accepts these. `end` is compared once, at the close.
    const b = bytes;
    let p = start;
    if (b[p++] !== OPEN) return false;
    p = token(b, p, TYPE_METRICS);
    if (p < 0) return false;
    this.tailStart = p - 1;
    this.seq = -1;
    this.traceAt = -1;
    let tokenBytes = AROUND_DATA;
    let afterData = -1;
    // A second time only behind a traceparent, so that other lines are not asked for one.
    do {
      const afterSeq = token(b, p, SEQ);
      if (afterSeq >= 0) {
        p = afterSeq;
        while (SPACE[b[p] as number] === 1) p++;
        const digits = p;
        p = this.#integer(b, p);
        if (p < 0) return false;
        tokenBytes += SEQ.length + (p - digits) + 1;
        while (SPACE[b[p] as number] === 1) p++;
        if (b[p++] !== COMMA) return false;
      }
      afterData = token(b, p, DATA);
      if (afterData < 0) {
        if (afterSeq >= 0 || this.traceAt >= 0) return false;
        p = this.#traceparent(b, p);
        if (p < 0) return false;
      }
    } while (afterData < 0);
    p = afterData;
    while (SPACE[b[p] as number] === 1) p++;
    p = this.#reading.scan(b, p);
    if (p < 0) return false;
    this.readingBytes = this.#reading.bytes;
    while (SPACE[b[p] as number] === 1) p++;
    if (b[p++] !== CLOSE) return false;
    while (p < end && SPACE[b[p] as number] === 1) p++;
    this.whitespace = end - this.tailStart - tokenBytes - this.readingBytes;
    return p === end;
  }

  /** The position behind a `traceparent` that stands directly behind the type, or -1. */
  #traceparent(b: Uint8Array, from: number): number {
    const start = token(b, from, TRACEPARENT);
    if (start < 0) return -1;
    let p = start + TRACEPARENT_LENGTH;
    if (!isTraceparent(String.fromCharCode(...b.subarray(start, p))) || b[p++] !== QUOTE) return -1;
    while (SPACE[b[p] as number] === 1) p++;
    if (b[p++] !== COMMA) return -1;
    this.traceAt = start;
    this.tailStart = p - 1;
    return p;
  }

  #integer(b: Uint8Array, from: number): number {
    let p = from;
    let value = 0;
    let c = b[p] as number;
    while (isDigit(c)) {
      value = value * 10 + (c - ZERO);
      c = b[++p] as number;
    }
    const digits = p - from;
    // 15 digits are always exact. Longer numbers and a leading zero are rare and left to decodeLine.
    if (digits === 0 || digits > 15 || (digits > 1 && b[from] === ZERO)) return -1;
    this.seq = value;
    return p;
  }
}

/** Copies bytes[start, end), valid JSON, without the white space between tokens. Returns the position after it. */
export function copyCompact(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  let inString = false;
  let position = at;
  for (let p = start; p < end; p++) {
    const c = bytes[p] as number;
    if (c === QUOTE) inString = !inString;
    if (inString || SPACE[c] !== 1) target[position++] = c;
  }
  return position;
}

function token(b: Uint8Array, from: number, expected: Uint8Array): number {
  for (let i = 0; b[from + i] === expected[i]; i++) if (i + 1 === expected.length) return from + i + 1;
  return spacedToken(b, from, expected);
}

// White space may stand before a quote, and before and after a colon, as json.dumps and others write it.
function spacedToken(b: Uint8Array, from: number, expected: Uint8Array): number {
  let p = from;
  for (let i = 0; i < expected.length; i++) {
    const e = expected[i];
    if (i === 0 || e === COLON || e === COMMA || e === QUOTE) {
      const quoted = e === QUOTE && i > 0 && expected[i - 1] !== COLON;
      while (!quoted && SPACE[b[p] as number] === 1) p++;
    }
    if (b[p++] !== e) return -1;
  }
  return p;
}
