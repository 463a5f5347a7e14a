// Chooses the partition of a key exactly as the Java client does, so that all producers put a key's records into the
// same partition. Source: org.apache.kafka.common.utils.Utils.murmur2 and toPositive.

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** MurmurHash2 of the bytes as a signed 32-bit number. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  let h = SEED ^ length;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k =
      byte(bytes, i) | (byte(bytes, i + 1) << 8) | (byte(bytes, i + 2) << 16) | (byte(bytes, i + 3) << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    h = Math.imul(h, M) ^ Math.imul(k, M);
  }
  const rest = length & 3;
  if (rest >= 3) h ^= byte(bytes, whole + 2) << 16;
  if (rest >= 2) h ^= byte(bytes, whole + 1) << 8;
  if (rest >= 1) h = Math.imul(h ^ byte(bytes, whole), M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

/** @param partitions the topic's number of partitions, at least 1 */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}
