// Compares our own hash, error table and segment files with Kafka's Java code, which the JVM runs without a broker.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type JavaRuntime, javaRuntime, KafkaUnavailableError } from '../../../scripts/kafka/runtime.ts';
import { murmur2, partitionOf } from '../../../src/kafka/batches/partitioner.ts';
import { KAFKA_ERRORS } from '../../../src/kafka/wire/errors.ts';
import { makeBatch, openLog, temporaryDirectory } from '../../spool/support.ts';
import { dumpLog } from '../../support/kafka.ts';
import { skipLoudly } from '../../support/missing-tool.ts';

function javaTest(name: string, fn: (java: JavaRuntime, t: TestContext) => Promise<void>): void {
  void test(name, async (t) => {
    const runtime = await javaRuntime().catch((error: unknown) => {
      if (error instanceof KafkaUnavailableError) return undefined;
      throw error;
    });
    if (runtime === undefined) skipLoudly(t, 'there is no Java to compare with');
    else await fn(runtime, t);
  });
}

/** Runs a Java source of this folder. Returns the words of each line that it prints. */
function runJava({ java, classPath }: JavaRuntime, file: string, input = ''): string[][] {
  // The source is not in dist.
  const source = fileURLToPath(new URL(`../../../../test/kafka/java/${file}`, import.meta.url));
  const output = execFileSync(java, ['-cp', classPath, source], { input, timeout: 60_000 }).toString();
  return output
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
}

javaTest('keys of every length have the hash and the partition that Java gives them', async (runtime) => {
  const keys = [
    Buffer.alloc(0),
    ...['ü', 'äöü', '東京', '🏙️', 'é'.repeat(7)].map((key) => Buffer.from(key)),
    ...['90210', '10001', 'SW1A-1AA', '00000', '99999', 'A'].map((key) => Buffer.from(key)),
    ...Array.from({ length: 400 }, (_, i) => Buffer.from(`zip-${i * 7919}`.slice(0, 1 + (i % 16)))),
    // Bytes above 127, since Java's bytes have a sign; and lengths with each remainder modulo four.
    ...Array.from({ length: 200 }, (_, i) => randomBytes(1 + (i % 40))),
  ];
  const answers = runJava(runtime, 'Murmur2.java', keys.map((key) => `${key.toString('hex')}\n`).join(''));
  assert.equal(answers.length, keys.length);
  for (const [i, key] of keys.entries()) {
    const [hash, positive = NaN] = (answers[i] ?? []).map(Number);
    assert.equal(murmur2(key), hash, `key ${key.toString('hex')}`);
    for (const partitions of [1, 3, 10, 16, 997])
      assert.equal(partitionOf(key, partitions), positive % partitions, `key ${key.toString('hex')}`);
  }
});

javaTest("the table has every error of Kafka's Java client with its code, and no other", async (runtime) => {
  const ours = [...KAFKA_ERRORS].sort(([a], [b]) => a - b).map(([code, { name }]) => [String(code), name]);
  const theirs = runJava(runtime, 'KafkaErrors.java').sort(([a], [b]) => Number(a) - Number(b));
  assert.deepEqual(ours, theirs);
});

javaTest("Kafka's DumpLogSegments finds the spool's segments valid", async (_, t) => {
  const directory = temporaryDirectory(t);
  const { log } = await openLog(directory, { sync: 'batch' });
  await log.append([await makeBatch('first', 3), await makeBatch('second', 2)]);
  await log.append([await makeBatch('third', 1)]);
  await log.close();
  const batches = await dumpLog('', [join(directory, `${'0'.repeat(20)}.log`)]);
  const offsets = batches.map(({ baseOffset, lastOffset, count }) => `${baseOffset}-${lastOffset}: ${count}`);
  assert.deepEqual(offsets, ['0-2: 3', '3-4: 2', '5-5: 1']);
  assert.ok(batches.every(({ isValid, magic }) => isValid && magic === 2));
  assert.match(batches[1]?.records[1] ?? '', /payload: second\/1$/);
});
