// Compresses with snappy in the framing of Java's producer (xerial's, which SnappyInputStream reads). It uses the
// native package if that loads, and else JavaScript, which is about four times slower.
//
// - Header of 16 bytes: 0x82 "SNAPPY" 0x00, version 1, oldest compatible version 1.
// - Blocks: the length of the compressed bytes in 4 bytes, big-endian, then the compressed bytes.
//
// A native call allocates memory for its output. Small blocks and copied outputs keep that memory short-lived.
// Measured on an EPYC VM for a record of 245 bytes: 0.1 us of CPU. One call for 490 KB, or outputs that are not copied,
// cost up to 1.2 us because of page faults.
import { createRequire } from 'node:module';
import { compressSmall, MAX_SMALL_BYTES, MAX_SMALL_OUTPUT } from './small-snappy.ts';

type CompressBlock = (bytes: Buffer) => Buffer;

/** Snappy itself works in blocks of this size, so larger ones would not compress better. */
const BLOCK_BYTES = 64 * 1024;
const LENGTH_BYTES = 4;
const HEADER = Buffer.from([0x82, ...Buffer.from('SNAPPY'), 0, 0, 0, 0, 1, 0, 0, 0, 1]);

const require = createRequire(import.meta.url);

/** The native function, or undefined if this platform has no prebuilt one. */
export function nativeBlock(): CompressBlock | undefined {
  try {
    const { compressSync } = require('snappy') as {
      compressSync(bytes: Buffer, options: { copyOutputData: boolean }): Buffer;
    };
    const options = { copyOutputData: true };
    const compress: CompressBlock = (bytes) => compressSync(bytes, options);
    // A build with wrong output would lose every record. Check it with one byte, which snappy encodes as a literal.
    return compress(Buffer.from('a')).equals(Buffer.from([1, 0, 0x61])) ? compress : undefined;
  } catch {
    return undefined;
  }
}

/** @throws Error if kafkajs-snappy is not installed, which brings the package snappyjs */
export function portableBlock(): CompressBlock {
  const path = createRequire(require.resolve('kafkajs-snappy')).resolve('snappyjs');
  return (bytes) => (require(path) as { compress: CompressBlock }).compress(bytes);
}

/**
 * The native function or the one in JavaScript, loaded with the first block: small batches need neither.
 * @throws Error if kafkajs-snappy is not installed
 */
export function lateBlock(): CompressBlock {
  const portable = portableBlock();
  let chosen: CompressBlock | undefined;
  return (bytes) => {
    chosen ??= nativeBlock() ?? portable;
    return chosen(bytes);
  };
}

const small = Buffer.allocUnsafeSlow(HEADER.length + LENGTH_BYTES + MAX_SMALL_OUTPUT);
small.set(HEADER);

/** The result is the parts of one byte sequence, valid until the next call. */
export function compressFramed(parts: readonly Buffer[], compressBlock: CompressBlock): Buffer[] {
  const [only] = parts;
  if (only !== undefined && parts.length === 1 && only.length <= MAX_SMALL_BYTES) {
    const start = HEADER.length + LENGTH_BYTES;
    const end = compressSmall(only, small, start);
    small.writeInt32BE(end - start, HEADER.length);
    return [small.subarray(0, end)];
  }
  const framed: Buffer[] = [HEADER];
  for (const part of parts) {
    for (let at = 0; at < part.length; at += BLOCK_BYTES) {
      const block = compressBlock(part.subarray(at, at + BLOCK_BYTES));
      const length = Buffer.allocUnsafe(LENGTH_BYTES);
      length.writeInt32BE(block.length);
      framed.push(length, block);
    }
  }
  return framed;
}
