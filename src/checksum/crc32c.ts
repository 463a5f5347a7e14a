// CRC-32C (Castagnoli), the checksum of a record batch. It is native if the prebuilt package loads, otherwise the
// table-driven form of RFC 3720 appendix B.4, about twenty times slower.
import { createRequire } from 'node:module';

type Crc32c = (bytes: Uint8Array) => number;

const POLYNOMIAL_REVERSED = 0x82f63b78;

const table = new Int32Array(256);
for (let n = 0; n < 256; n++) {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ POLYNOMIAL_REVERSED : c >>> 1;
  table[n] = c;
}

/** Unsigned 32-bit CRC-32C in JavaScript. */
export function portableCrc32c(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) {
    crc = (table[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8);
  }
  return (crc ^ -1) >>> 0;
}

/** The native function, or undefined if this platform has no prebuilt one. */
export function nativeCrc32c(): Crc32c | undefined {
  try {
    const { crc32c } = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: Crc32c };
    // With a wrong checksum Kafka would refuse every batch (CORRUPT_MESSAGE). RFC 3720 gives the one of 32 zero bytes.
    return crc32c(Buffer.alloc(32)) === 0x8a9136aa ? crc32c : undefined;
  } catch {
    return undefined;
  }
}

/** Up to so many bytes, a call of native code takes longer than the table. */
const MAX_SHORT_BYTES = 48;
let chosen: Crc32c | undefined;

/** Unsigned 32-bit CRC-32C of the bytes. The package is loaded when it is needed first: 2 ms, and some MB in each process. */
export function crc32c(bytes: Uint8Array): number {
  if (bytes.length <= MAX_SHORT_BYTES) return portableCrc32c(bytes);
  chosen ??= nativeCrc32c() ?? portableCrc32c;
  return chosen(bytes);
}
