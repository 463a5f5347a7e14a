// Compresses small inputs with snappy in JavaScript, into the memory of the caller. A call of the native package has a
// fixed cost that a batch of a few hundred bytes does not earn back (docs/decisions/0081). It never allocates.
//
// The format (https://github.com/google/snappy/blob/main/format_description.txt): the uncompressed length as a varint,
// then literals and copies of up to 64 bytes from earlier output. A copy here has one or two bytes of offset.

/** Larger inputs are left to the native package. Offsets in the table are 16-bit numbers. */
export const MAX_SMALL_BYTES = 4096;
/** At worst, literals of 60 bytes, with 2 bytes before each, and copies of 4 bytes, which take 3, come in turns. */
export const MAX_SMALL_OUTPUT = MAX_SMALL_BYTES + MAX_SMALL_BYTES / 32 + 16;

const HASH_BITS = 10;
const HASH_SHIFT = 32 - HASH_BITS;
/** The latest position of each hash, counted from 1. 0: none. */
const table = new Uint16Array(1 << HASH_BITS);
const MIN_MATCH = 4;
const MAX_COPY = 64;
const MAX_COPY_1 = 11;
const MAX_OFFSET_1 = 2047;

/**
 * @param input at most MAX_SMALL_BYTES bytes
 * @param output has MAX_SMALL_OUTPUT bytes from `at` on
 * @returns the end of the output
 */
export function compressSmall(input: Uint8Array, output: Uint8Array, at: number): number {
  const { length } = input;
  let out = at;
  if (length < 0x80) output[out++] = length;
  else {
    output[out++] = (length & 0x7f) | 0x80;
    output[out++] = length >>> 7;
  }
  table.fill(0);
  let literal = 0;
  let position = 0;
  const last = length - MIN_MATCH;
  while (position <= last) {
    const bytes = word(input, position);
    const hash = Math.imul(bytes, 0x1e35a7bd) >>> HASH_SHIFT;
    const candidate = (table[hash] as number) - 1;
    table[hash] = position + 1;
    if (candidate < 0 || word(input, candidate) !== bytes) {
      // As the native code: the longer there was no match, the larger the steps.
      position += 1 + ((position - literal) >>> 5);
      continue;
    }
    if (position > literal) out = writeLiteral(input, literal, position, output, out);
    let end = position + MIN_MATCH;
    const offset = position - candidate;
    while (end < length && input[end] === input[end - offset]) end++;
    out = writeCopy(output, out, offset, end - position);
    position = end;
    literal = end;
  }
  return literal < length ? writeLiteral(input, literal, length, output, out) : out;
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function writeLiteral(input: Uint8Array, start: number, end: number, output: Uint8Array, at: number): number {
  const rest = end - start - 1;
  let out = at;
  if (rest < 60) output[out++] = rest << 2;
  else if (rest < 0x100) {
    output[out++] = 60 << 2;
    output[out++] = rest;
  } else {
    output[out++] = 61 << 2;
    output[out++] = rest & 0xff;
    output[out++] = rest >>> 8;
  }
  for (let i = start; i < end; i++) output[out++] = input[i] as number;
  return out;
}

function writeCopy(output: Uint8Array, at: number, offset: number, length: number): number {
  let out = at;
  let left = length;
  while (left > 0) {
    // A rest below MIN_MATCH would need the longer form too, which has no minimum.
    const bytes = Math.min(left, MAX_COPY);
    if (bytes >= MIN_MATCH && bytes <= MAX_COPY_1 && offset <= MAX_OFFSET_1) {
      output[out++] = 1 | ((bytes - MIN_MATCH) << 2) | ((offset >>> 8) << 5);
      output[out++] = offset & 0xff;
    } else {
      output[out++] = 2 | ((bytes - 1) << 2);
      output[out++] = offset & 0xff;
      output[out++] = offset >>> 8;
    }
    left -= bytes;
  }
  return out;
}
