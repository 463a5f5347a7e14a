// Hashes of keys and the partitions for them. test/kafka/java compares many more keys with the Java client.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur2, partitionOf } from '../../../src/kafka/batches/partitioner.ts';

// UtilsTest.testMurmur2 of Apache Kafka, and what Murmur2.java printed for some zipcodes.
const VECTORS: readonly (readonly [key: string, hash: number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

for (const [key, hash] of VECTORS) {
  test(`murmur2 of ${key} is as Kafka's own tests expect it`, () => {
    assert.equal(murmur2(Buffer.from(key)), hash);
  });
}

test('a key whose hash is negative falls into a partition that exists', () => {
  const key = Buffer.from('21');
  assert.equal(partitionOf(key, 10), (-973932308 & 0x7fffffff) % 10);
  for (const partitions of [1, 2, 3, 10, 16, 10_000]) {
    const partition = partitionOf(key, partitions);
    assert.ok(partition >= 0 && partition < partitions);
  }
});
