// The compression codecs of record batches. A codec that is missing here fails the start, never the first batch.

import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import type * as Zlib from 'node:zlib';
import type * as Lz4 from 'lz4-napi';
import { EXIT_SETTINGS } from '../../config/exit-codes.ts';
import { zlib } from './late-zlib.ts';
import { compressFramed, lateBlock } from './snappy.ts';

export const CODEC_NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type CodecName = (typeof CODEC_NAMES)[number];

export interface Codec {
  readonly name: CodecName;
  /** The lowest three bits of the batch's attributes. */
  readonly id: number;
  /** True if compressing happens on another thread and finishes on a later turn of the event loop. */
  readonly isAsync: boolean;
  /**
   * Both the input and the result are the parts of one byte sequence. `none` returns its input. A result that is no
   * promise is valid until the next call.
   */
  compress(parts: readonly Buffer[]): readonly Buffer[] | Promise<readonly Buffer[]>;
}

/** The codec interface of kafkajs, which kafkajs-snappy implements. */
interface KafkajsCodec {
  decompress(bytes: Buffer): Promise<Buffer>;
}

/** This version of Node or this installation lacks a codec. The process ends with `exitCode`. */
export class CodecUnavailableError extends Error {
  readonly code = 'CODEC_UNAVAILABLE';
  readonly exitCode = EXIT_SETTINGS;
}

const require = createRequire(import.meta.url);

const BUILDERS: Record<CodecName, () => Codec> = {
  none: () => ({ name: 'none', id: 0, isAsync: false, compress: (parts) => parts }),
  gzip: () => {
    const gzip = promisify<Buffer, Zlib.ZlibOptions, Buffer>(zlib().gzip);
    // Level 1: readings repeat so much that higher levels gain little and cost several times the CPU.
    return {
      name: 'gzip',
      id: 1,
      isAsync: true,
      compress: async (parts) => [await gzip(whole(parts), { level: 1 })],
    };
  },
  snappy: () => {
    const block = orUnavailable(lateBlock, 'kafkajs-snappy', 'snappy');
    return { name: 'snappy', id: 2, isAsync: false, compress: (parts) => compressFramed(parts, block) };
  },
  lz4: () => {
    const { compressFrameSync } = load<typeof Lz4>('lz4-napi', 'lz4');
    // Java reads independent blocks only (Lz4BlockInputStream); this package writes no others.
    return { name: 'lz4', id: 3, isAsync: false, compress: (parts) => [compressFrameSync(whole(parts))] };
  },
  zstd: () => {
    const { zstdCompress } = zlib();
    if (zstdCompress === undefined) {
      throw new CodecUnavailableError(
        `KAFKA_COMPRESSION=zstd needs Node 22.15 or later, this is ${process.version}; use snappy, lz4 or gzip`,
      );
    }
    const compress = promisify<Buffer, Buffer>(zstdCompress);
    return { name: 'zstd', id: 4, isAsync: true, compress: async (parts) => [await compress(whole(parts))] };
  },
};

/** @throws CodecUnavailableError that names the package to install or another codec */
export function createCodec(name: CodecName): Codec {
  return BUILDERS[name]();
}

/** 1 MB of gzip or zstd can unpack to gigabytes. The other codecs pack at most 255 times. */
const UNPACK = { maxOutputLength: 256 * 2 ** 20 };

/** Decompresses the records of a batch. @throws CodecUnavailableError if the codec is missing here or unknown */
export async function decompress(codecId: number, bytes: Buffer): Promise<Buffer> {
  switch (codecId) {
    case 0:
      return bytes;
    case 1:
      return promisify<Buffer, typeof UNPACK, Buffer>(zlib().gunzip)(bytes, UNPACK);
    case 2:
      return load<() => KafkajsCodec>('kafkajs-snappy', 'snappy')().decompress(bytes);
    case 3:
      return load<typeof Lz4>('lz4-napi', 'lz4').decompressFrameSync(bytes);
    case 4: {
      const { zstdDecompress } = zlib();
      if (zstdDecompress === undefined)
        throw new CodecUnavailableError(`zstd cannot be read by Node ${process.version}`);
      return promisify<Buffer, typeof UNPACK, Buffer>(zstdDecompress)(bytes, UNPACK);
    }
    default:
      throw new CodecUnavailableError(`unknown codec ${codecId}`);
  }
}

function whole(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

function load<T>(module: string, codec: CodecName): T {
  return orUnavailable(() => require(module) as T, module, codec);
}

function orUnavailable<T>(make: () => T, module: string, codec: CodecName): T {
  try {
    return make();
  } catch (cause) {
    throw new CodecUnavailableError(
      `KAFKA_COMPRESSION=${codec} needs the package "${module}", which is not installed or has no build for this platform`,
      { cause },
    );
  }
}
