import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type JavaRuntime, javaRuntime, KafkaUnavailableError } from '../../../scripts/kafka/runtime.ts';
import { murmur2, partitionOf } from '../../../src/kafka/batches/partitioner.ts';

// From dist/test/kafka: tsc leaves it where it is written.
const MURMUR2_JAVA = fileURLToPath(new URL('../../../../test/kafka/batches/Murmur2.java', import.meta.url));

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
  test(`murmur2 of ${key} is what Kafka's own tests expect`, () => {
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

test('several hundred keys of every length have the hash and the partition that Java gives them', async (t) => {
  const runtime = await javaRuntime().catch((error: unknown) => {
    if (error instanceof KafkaUnavailableError) return undefined;
    throw error;
  });
  if (runtime === undefined) return t.skip('no Java to compare with');
  const keys = [
    Buffer.alloc(0),
    ...VECTORS.map(([key]) => Buffer.from(key)),
    ...['ü', 'äöü', '東京', '🏙️', 'é'.repeat(7)].map((key) => Buffer.from(key)),
    ...['90210', '10001', 'SW1A-1AA', '00000', '99999', 'A'].map((key) => Buffer.from(key)),
    ...Array.from({ length: 400 }, (_, i) => Buffer.from(`zip-${i * 7919}`.slice(0, 1 + (i % 16)))),
    // Every byte value, and so every sign that Java's bytes may have; lengths of each remainder by four.
    ...Array.from({ length: 200 }, (_, i) => randomBytes(1 + (i % 40))),
  ];
  const answers = javaMurmur2(runtime, keys);
  assert.equal(answers.length, keys.length);
  for (const [i, key] of keys.entries()) {
    const [hash, positive] = answers[i] as readonly [number, number];
    assert.equal(murmur2(key), hash, `key ${key.toString('hex')}`);
    for (const partitions of [1, 3, 10, 16, 997]) {
      assert.equal(partitionOf(key, partitions), positive % partitions, `key ${key.toString('hex')}`);
    }
  }
});

function javaMurmur2({ java, classPath }: JavaRuntime, keys: readonly Buffer[]): [number, number][] {
  // A file with a line for each key; an empty key is an empty line.
  const input = keys.map((key) => `${key.toString('hex')}\n`).join('');
  const output = execFileSync(java, ['-cp', classPath, MURMUR2_JAVA], { input, timeout: 60_000 });
  return output
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number) as [number, number]);
}
