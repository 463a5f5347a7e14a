// The codecs that can be tested here. zstd depends on the Node.js version. lz4 is an optional package, which the
// project's own CI must have.
import * as zlib from 'node:zlib';
import {
  CODEC_NAMES,
  type CodecName,
  CodecUnavailableError,
  createCodec,
} from '../../../src/kafka/batches/compression.ts';

export const hasZstd = 'zstdCompress' in zlib;

export function isHere(name: CodecName): boolean {
  if (name === 'zstd') return hasZstd;
  if (name !== 'lz4' || process.env.SLUICE_REQUIRE_KAFKA === '1') return true;
  try {
    createCodec(name);
    return true;
  } catch (error) {
    if (error instanceof CodecUnavailableError) return false;
    throw error;
  }
}

export const codecsHere: readonly CodecName[] = CODEC_NAMES.filter(isHere);
