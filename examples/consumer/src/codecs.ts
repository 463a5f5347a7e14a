// Teaches kafkajs every compression that Sluice can use. By itself it knows only gzip, and stops at the first other batch.
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import kafkajs from 'kafkajs';

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
}

/** A megabyte of zstd can unpack to gigabytes. */
const LIMIT = { maxOutputLength: 256 * 2 ** 20 };

const require = createRequire(import.meta.url);

/** A codec that this Node or this installation lacks. */
export class CodecError extends Error {
  readonly code = 'CODEC';
}

/** Loads no codec: each is loaded when the first batch needs it, and a batch throws CodecError if it is missing. */
export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  const table = CompressionCodecs as unknown as Record<number, () => Codec>;
  table[CompressionTypes.Snappy] = () => load<() => Codec>('kafkajs-snappy')();
  table[CompressionTypes.LZ4] = () => {
    const lz4 = load<typeof import('lz4-napi')>('lz4-napi');
    return {
      compress: async ({ buffer }) => lz4.compressFrameSync(buffer),
      decompress: async (bytes) => lz4.decompressFrameSync(bytes),
    };
  };
  table[CompressionTypes.ZSTD] = () => {
    const { zstdCompress, zstdDecompress } = zlib as Partial<Record<string, unknown>> as {
      zstdCompress?: typeof zlib.gzip;
      zstdDecompress?: typeof zlib.gunzip;
    };
    if (zstdCompress === undefined || zstdDecompress === undefined)
      throw new CodecError(
        `The topic has batches in zstd, which needs Node 22.15 or later. This is ${process.version}.`,
      );
    const compress = promisify<Buffer, Buffer>(zstdCompress);
    const decompress = promisify<Buffer, typeof LIMIT, Buffer>(zstdDecompress);
    return {
      compress: ({ buffer }) => compress(buffer),
      decompress: (bytes) => decompress(bytes, LIMIT),
    };
  };
}

function load<T>(module: string): T {
  try {
    return require(module) as T;
  } catch (cause) {
    throw new CodecError(`The topic has batches that need the package ${module}, which does not load here.`, {
      cause,
    });
  }
}
