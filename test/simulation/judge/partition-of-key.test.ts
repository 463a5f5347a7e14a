import assert from 'node:assert/strict';
import { it } from 'node:test';
import { partitionOfKey } from '../../../simulation/judge/partition-of-key.ts';

it("gives a key the partition of Kafka's Java client", () => {
  // Utils.toPositive(Utils.murmur2(bytes)) % 1000, from org.apache.kafka.common.utils.UtilsTest.
  const hashes: readonly (readonly [string, number])[] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [key, hash] of hashes) assert.equal(partitionOfKey(key, 1000), (hash & 0x7fffffff) % 1000, key);
});
