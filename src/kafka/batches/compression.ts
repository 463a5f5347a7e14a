// The codecs of a record batch. A codec the runtime lacks is an error at start, never one at the first batch.
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type * as Lz4 from 'lz4-napi';
import { compressFramed, nativeBlock, portableBlock } from './snappy.ts';

export const CODEC_NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type CodecName = (typeof CODEC_NAMES)[number];

export interface Codec {
  readonly name: CodecName;
  /** The batch attributes' lowest three bits. */
  readonly id: number;
  /** It works beside the event loop: the bytes are there some turns later. */
  readonly isAsync: boolean;
  /** From parts that follow each other to others that do; `none` answers its input. */
  compress(parts: readonly Buffer[]): readonly Buffer[] | Promise<readonly Buffer[]>;
}

/** The codec interface of kafkajs, which kafkajs-snappy implements. */
interface KafkajsCodec {
  decompress(bytes: Buffer): Promise<Buffer>;
}

/** A codec that this Node or this installation does not have. */
export class CodecUnavailableError extends Error {
  readonly code = 'CODEC_UNAVAILABLE';
  readonly exitCode = 78;
}

const require = createRequire(import.meta.url);

const BUILDERS: Record<CodecName, () => Codec> = {
  none: () => ({ name: 'none', id: 0, isAsync: false, compress: (parts) => parts }),
  gzip: () => {
    const gzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip);
    // Level 1: the bytes repeat so much that more effort buys little and costs several times the CPU.
    return {
      name: 'gzip',
      id: 1,
      isAsync: true,
      compress: async (parts) => [await gzip(whole(parts), { level: 1 })],
    };
  },
  snappy: () => {
    const block = nativeBlock() ?? orUnavailable(portableBlock, 'kafkajs-snappy', 'snappy');
    return { name: 'snappy', id: 2, isAsync: false, compress: (parts) => compressFramed(parts, block) };
  },
  lz4: () => {
    const { compressFrameSync } = load<typeof Lz4>('lz4-napi', 'lz4');
    // Java reads independent blocks only (Lz4BlockInputStream); this package writes no others.
    return { name: 'lz4', id: 3, isAsync: false, compress: (parts) => [compressFrameSync(whole(parts))] };
  },
  zstd: () => {
    const zstdCompress = (zlib as { zstdCompress?: typeof zlib.gzip }).zstdCompress;
    if (zstdCompress === undefined) {
      throw new CodecUnavailableError(
        `KAFKA_COMPRESSION=zstd needs Node 22.15 or later, this is ${process.version}; use snappy, lz4 or gzip`,
      );
    }
    const compress = promisify<Buffer, Buffer>(zstdCompress);
    return { name: 'zstd', id: 4, isAsync: true, compress: async (parts) => [await compress(whole(parts))] };
  },
};

/** @throws CodecUnavailableError with what to install or choose instead */
export function createCodec(name: CodecName): Codec {
  return BUILDERS[name]();
}

/** The records of a batch compressed with the codec of this id (0-4). */
export async function decompress(codecId: number, bytes: Buffer): Promise<Buffer> {
  switch (codecId) {
    case 0:
      return bytes;
    case 1:
      return promisify<Buffer, Buffer>(zlib.gunzip)(bytes);
    case 2:
      return load<() => KafkajsCodec>('kafkajs-snappy', 'snappy')().decompress(bytes);
    case 3:
      return load<typeof Lz4>('lz4-napi', 'lz4').decompressFrameSync(bytes);
    case 4: {
      const { zstdDecompress } = zlib as { zstdDecompress?: typeof zlib.gunzip };
      if (zstdDecompress === undefined)
        throw new CodecUnavailableError(`zstd cannot be read by Node ${process.version}`);
      return promisify<Buffer, Buffer>(zstdDecompress)(bytes);
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
