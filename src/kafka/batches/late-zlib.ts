// Node's zlib, loaded with the first codec that needs it: most processes never do (docs/decisions/0086).
import { createRequire } from 'node:module';
import type * as Zlib from 'node:zlib';

/** zstd is undefined before Node 22.15, and the types of Node 20 lack it. */
export type LateZlib = typeof Zlib & { zstdCompress?: typeof Zlib.gzip; zstdDecompress?: typeof Zlib.gunzip };

const require = createRequire(import.meta.url);

export function zlib(): LateZlib {
  return require('node:zlib') as LateZlib;
}
