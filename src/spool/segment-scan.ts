// Reads a segment file from one end to the other, batch by batch, in bounded memory, and says what is whole,
// what is damaged and where the torn end begins. Changes nothing.
//
// - No checksum covers a batch's base offset, so it is counted from the file's name on; only behind damage,
//   which may have held any number of records, is the field itself believed.
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  type BatchHeader,
  findBatch,
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
      /** Its base offset is the counted one. */
      readonly header: BatchHeader;
      readonly bytes: Buffer;
    }
  /** Bytes that are no intact batch, with intact ones after them. */
  | { readonly kind: 'bad'; readonly position: number; readonly bytes: number }
  /** Everything from here to the end of the file: a write that was never finished, or damage at the very end. */
  | { readonly kind: 'tail'; readonly position: number; readonly bytes: number; readonly complete: boolean };

/** What of the file is read: its bytes [from, to). */
export interface ScanRange {
  readonly from?: number;
  readonly to?: number;
  /** The offset at `from`, if that is known; at the file's beginning its name tells. */
  readonly offset?: number;
}

const WINDOW_BYTES = 4 * 2 ** 20;
/** Records that a damaged place may have held; a base offset further on is damaged itself. */
const MAX_GAP = 2 ** 32;

/** The offset a segment begins with, which is its name. */
export function segmentBase(path: string): number {
  return Number(basename(path, '.log'));
}

/**
 * Scans the file. A yielded batch's bytes are valid until the next one is asked for.
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
    if (next < 0) {
      const complete = await wasComplete(window, position);
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

// A whole batch with a wrong checksum was damaged, anything shorter was never completely written. If the
// length field itself was damaged, the checksum over all the rest still tells.
async function wasComplete(window: Window, position: number): Promise<boolean> {
  const start = await window.read(position, HEADER_BYTES);
  if (start.length < HEADER_BYTES) return false;
  const bytes = lengthField(start);
  if (bytes > HEADER_BYTES && position + bytes <= window.size) return true;
  const rest = window.size - position;
  return rest <= MAX_BATCH_BYTES && isIntact(await window.read(position, rest));
}

// If the length field itself was damaged, the next batch has to be searched for.
async function nextBatch(window: Window, from: number): Promise<number> {
  let position = from;
  while (position + HEADER_BYTES <= window.size) {
    const bytes = await window.read(position, Math.min(WINDOW_BYTES, window.size - position));
    const found = findBatch(bytes, 0);
    if (found < 0) {
      // The signature may lie across the window's end.
      position += Math.max(1, bytes.length - HEADER_BYTES);
      continue;
    }
    if ((await batchAt(window, position + found)) !== undefined) return position + found;
    position += found + 1;
  }
  return -1;
}

/** A file seen through one buffer that moves along. */
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
      // One buffer again and again: the collector would see to new ones too late.
      if (this.#buffer.length < wanted) this.#buffer = Buffer.allocUnsafeSlow(wanted);
      const buffer = this.#buffer.subarray(0, wanted);
      this.#bytes = buffer.subarray(0, 0);
      let filled = 0;
      while (filled < buffer.length) {
        const bytesRead = await this.#fill(buffer, filled, position).catch((error: unknown) => {
          // The disk does not give back what lies farther on, which is not wanted yet.
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
