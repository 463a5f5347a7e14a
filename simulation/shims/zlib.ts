// node:zlib in a world: Node's threads would finish at a time of their own, so asynchronous forms have the result of the
// synchronous ones, after a simulated delay.
import * as zlib from 'node:zlib';
import { world } from '../world/world.ts';

export * from 'node:zlib';

/** What a thread needs: gzip with level 1 packs about 200 MB a second. */
const BYTES_PER_MS = 200_000;
const FIRST_MS = 0.05;

type Done = (error: Error | null, result?: Buffer) => void;

/** @param work the synchronous form */
function delayed<Options>(work: (bytes: Buffer, options?: Options) => Buffer) {
  return (bytes: Buffer, ...rest: [Done] | [Options, Done]): void => {
    const done = rest.at(-1) as Done;
    const options = rest.length > 1 ? (rest[0] as Options) : undefined;
    // Node copies nothing: the result is of the bytes at the time at which its thread comes to them.
    world().after(FIRST_MS + bytes.length / BYTES_PER_MS, () => {
      let result: Buffer;
      try {
        result = work(bytes, options);
      } catch (error) {
        return done(error as Error);
      }
      done(null, result);
    });
  };
}

type WithZstd = typeof zlib & {
  readonly zstdCompressSync?: (bytes: Buffer) => Buffer;
  readonly zstdDecompressSync?: (bytes: Buffer) => Buffer;
};
const { zstdCompressSync, zstdDecompressSync } = zlib as WithZstd;

export const gzip = delayed(zlib.gzipSync);
export const gunzip = delayed(zlib.gunzipSync);
/** Undefined before Node 22.15. */
export const zstdCompress = zstdCompressSync && delayed(zstdCompressSync);
export const zstdDecompress = zstdDecompressSync && delayed(zstdDecompressSync);
