// Scans a segment file batch by batch in bounded memory and tells intact batches, damage and a torn end apart. It
// changes nothing.
//
// - No checksum covers a batch's base offset, so offsets are counted from the file's name. The field is
//   believed only behind damage, which may have held any number of records.
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  type BatchHeader,
  findHeader,
  fits,
  HEADER_BYTES,
  isIntact,
  lengthField,
  MAX_BATCH_BYTES,
  readHeader,
} from './batch-header.ts';

export type Found =
  | {
      readonly kind: 'batch';
      readonly position: number;
      /** With the counted base offset. */
      readonly header: BatchHeader;
      readonly bytes: Buffer;
    }
  /** Damaged bytes, with an intact batch after them. */
  | { readonly kind: 'bad'; readonly position: number; readonly bytes: number }
  /** The rest of the file without an intact batch: an unfinished write, or damage if it is `complete`. */
  | { readonly kind: 'tail'; readonly position: number; readonly bytes: number; readonly complete: boolean };

/** The bytes [from, to) of the file. */
export interface ScanRange {
  readonly from?: number;
  readonly to?: number;
  /** The offset at `from`, if known. At the beginning the file's name gives it. */
  readonly offset?: number;
}

const WINDOW_BYTES = 4 * 2 ** 20;
/** More records than a damaged place can have held. A base offset beyond that is damaged itself. */
const MAX_GAP = 2 ** 32;

/** The offset of a segment's first record, which is its name. */
export function segmentBase(path: string): number {
  return Number(basename(path, '.log'));
}

/**
 * Scans the file. The bytes of a batch are valid until the next step.
 * @throws the system's error if the file cannot be read
 */
export async function* scanSegment(path: string, range: ScanRange = {}): AsyncGenerator<Found> {
  const { from = 0, offset = from === 0 ? segmentBase(path) : undefined } = range;
  const file = await open(path, 'r');
  try {
    yield* scan(new Window(file, range.to ?? (await file.stat()).size), from, offset);
  } finally {
    await file.close();
  }
}

async function* scan(window: Window, from: number, offset: number | undefined): AsyncGenerator<Found> {
  let position = from;
  let expected = offset;
  let afterDamage = false;
  while (position < window.size) {
    const batch = await batchAt(window, position);
    if (batch !== undefined) {
      const baseOffset = baseOffsetOf(batch.header, expected, afterDamage);
      yield { kind: 'batch', position, header: { ...batch.header, baseOffset }, bytes: batch.bytes };
      position += batch.header.bytes;
      expected = baseOffset + batch.header.count;
      afterDamage = false;
      continue;
    }
    const next = await nextBatch(window, position + 1);
    if (typeof next === 'string') {
      const complete = next === 'damaged' || (await wasComplete(window, position));
      yield { kind: 'tail', position, bytes: window.size - position, complete };
      return;
    }
    yield { kind: 'bad', position, bytes: next - position };
    position = next;
    afterDamage = true;
  }
}

function baseOffsetOf(
  { baseOffset }: BatchHeader,
  expected: number | undefined,
  afterDamage: boolean,
): number {
  if (expected === undefined) return baseOffset;
  const isPlausible = baseOffset > expected && baseOffset - expected < MAX_GAP;
  return afterDamage && isPlausible ? baseOffset : expected;
}

async function batchAt(
  window: Window,
  position: number,
): Promise<{ header: BatchHeader; bytes: Buffer } | undefined> {
  const header = readHeader(await window.read(position, HEADER_BYTES), 0);
  if (header === undefined || position + header.bytes > window.size) return undefined;
  const bytes = await window.read(position, header.bytes);
  return isIntact(bytes) ? { header, bytes } : undefined;
}

// A batch of full length with a wrong checksum was damaged; a shorter one was never completely written. If the length
// field itself is damaged, the checksum over the rest of the file still shows a complete batch.
async function wasComplete(window: Window, position: number): Promise<boolean> {
  const start = await window.read(position, HEADER_BYTES);
  if (start.length < HEADER_BYTES) return false;
  const rest = window.size - position;
  if (fits(lengthField(start), rest)) return true;
  return rest <= MAX_BATCH_BYTES && isIntact(await window.read(position, rest));
}

// The length field may be damaged too, so the next batch is found by its header. `damaged` if there is a header but no intact
// batch: then the bytes before it are no unfinished write, unless a power cut took the first part of a write and left the second.
async function nextBatch(window: Window, from: number): Promise<number | 'damaged' | 'nothing'> {
  let position = from;
  let seen: 'damaged' | 'nothing' = 'nothing';
  while (position + HEADER_BYTES <= window.size) {
    const room = window.size - position;
    const bytes = await window.read(position, Math.min(WINDOW_BYTES, room));
    const found = findHeader(bytes, room);
    if (found < 0) {
      // A header may lie across the window's end.
      position += Math.max(1, bytes.length - HEADER_BYTES + 1);
      continue;
    }
    if ((await batchAt(window, position + found)) !== undefined) return position + found;
    seen = 'damaged';
    position += found + 1;
  }
  return seen;
}

/** A file, read through one buffer that moves along. */
class Window {
  readonly size: number;
  readonly #file: FileHandle;
  #buffer = Buffer.alloc(0);
  #start = 0;
  #bytes = this.#buffer;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** bytes[position, position + length), fewer at the end of the file; valid until the next call. */
  async read(position: number, length: number): Promise<Buffer> {
    const end = Math.min(position + length, this.size);
    if (position < this.#start || end > this.#start + this.#bytes.length) {
      const wanted = Math.max(end - position, Math.min(WINDOW_BYTES, this.size - position));
      // The buffer is reused, because the garbage collector would free new ones too late.
      if (this.#buffer.length < wanted) this.#buffer = Buffer.allocUnsafeSlow(wanted);
      const buffer = this.#buffer.subarray(0, wanted);
      this.#bytes = buffer.subarray(0, 0);
      let filled = 0;
      while (filled < buffer.length) {
        const bytesRead = await this.#fill(buffer, filled, position).catch((error: unknown) => {
          // The failing bytes lie beyond `end` and were only read ahead.
          if (filled >= end - position) return 0;
          throw error;
        });
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      this.#start = position;
      this.#bytes = buffer.subarray(0, filled);
    }
    return this.#bytes.subarray(position - this.#start, Math.min(end - this.#start, this.#bytes.length));
  }

  async #fill(buffer: Buffer, filled: number, position: number): Promise<number> {
    const { bytesRead } = await this.#file.read(buffer, filled, buffer.length - filled, position + filled);
    return bytesRead;
  }
}
