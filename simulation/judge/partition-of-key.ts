// The partition that Kafka's Java client gives a key, written from org.apache.kafka.common.utils.Utils.murmur2 a second
// time: a mistake in the gateway's own must show.
const SEED = 0x9747b28c;
const M = 0x5bd1e995;

const known = new Map<string, number>();

export function partitionOfKey(key: string, partitions: number): number {
  let positive = known.get(key);
  if (positive === undefined) {
    positive = hashOf(Buffer.from(key)) & 0x7fffffff;
    known.set(key, positive);
  }
  return positive % partitions;
}

function hashOf(data: Buffer): number {
  const words = data.length >> 2;
  let h = SEED ^ data.length;
  for (let word = 0; word < words; word++) {
    let k = Math.imul(data.readInt32LE(4 * word), M);
    k = Math.imul(k ^ (k >>> 24), M);
    h = Math.imul(h, M) ^ k;
  }
  const tail = data.subarray(4 * words);
  if (tail.length > 0) h = Math.imul(h ^ tail.readUIntLE(0, tail.length), M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}
