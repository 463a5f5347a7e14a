// Unpacks the records of a batch, all at once and on this thread, so that a simulated broker is the same in each run.
import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';

const require = createRequire(import.meta.url);

/** "\x82SNAPPY\0", two versions of 4 bytes each. */
const XERIAL_HEADER_BYTES = 16;

type Unpack = (bytes: Buffer) => Buffer;

const CODECS: Readonly<Record<number, Unpack>> = {
  0: (bytes) => bytes,
  1: (bytes) => zlib.gunzipSync(bytes),
  2: unpackXerial,
  3: (bytes) => (require('lz4-napi') as { decompressFrameSync: Unpack }).decompressFrameSync(bytes),
  4: (bytes) => (zlib as typeof zlib & { zstdDecompressSync: Unpack }).zstdDecompressSync(bytes),
};

export const ZSTD = 4;

/** @param codec the lowest three bits of the batch's attributes. @throws Error if the bytes are damaged */
export function unpack(codec: number, bytes: Buffer): Buffer {
  const unpackWith = CODECS[codec];
  if (unpackWith === undefined) throw new RangeError(`unknown codec ${codec}`);
  return unpackWith(bytes);
}

/** Blocks of Java's SnappyOutputStream, each after its length. */
function unpackXerial(bytes: Buffer): Buffer {
  const { uncompress } = createRequire(require.resolve('kafkajs-snappy'))('snappyjs') as {
    uncompress: Unpack;
  };
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const size = bytes.readInt32BE(at);
    blocks.push(uncompress(bytes.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return Buffer.concat(blocks);
}
