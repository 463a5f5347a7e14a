// Small inputs that are compressed without the native package: every one is restored by another implementation, and
// none grows beyond the memory for it.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { seededRandom } from '../../../load/random.ts';
import { compressSmall, MAX_SMALL_BYTES, MAX_SMALL_OUTPUT } from '../../../src/kafka/batches/small-snappy.ts';
import { nativeBlock, portableBlock } from '../../../src/kafka/batches/snappy.ts';

const require = createRequire(import.meta.url);
const { uncompress } = createRequire(require.resolve('kafkajs-snappy'))('snappyjs') as {
  uncompress(bytes: Buffer): Buffer;
};

const GUARD = 0xa5;

function compressed(input: Uint8Array): Buffer {
  const output = Buffer.alloc(5 + MAX_SMALL_OUTPUT + 5, GUARD);
  const end = compressSmall(input, output, 5);
  assert.ok(end <= 5 + MAX_SMALL_OUTPUT);
  for (let i = 0; i < 5; i++) assert.equal(output[i], GUARD);
  for (let i = end; i < output.length; i++) assert.equal(output[i], GUARD, 'wrote behind its end');
  return output.subarray(5, end);
}

function restores(input: Buffer, what: string): void {
  assert.deepEqual(Buffer.from(uncompress(compressed(input))), input, what);
}

test('each length is restored, of bytes that repeat and of bytes that do not', () => {
  const random = seededRandom(23);
  const noise = Buffer.from(Array.from({ length: MAX_SMALL_BYTES }, () => Math.floor(random() * 256)));
  for (let size = 0; size <= MAX_SMALL_BYTES; size += size < 700 ? 1 : 37) {
    restores(Buffer.alloc(size, 'a'), `${size} equal bytes`);
    restores(Buffer.alloc(size, '{"temperature":21.5}'), `${size} bytes of readings`);
    restores(noise.subarray(0, size), `${size} bytes of noise`);
  }
  restores(noise, 'the largest noise');
});

test('random texts of few letters and copies from far and near are restored', () => {
  const seed = Date.now() % 1_000_000;
  const random = seededRandom(seed);
  for (let round = 0; round < 3000; round++) {
    const input = Buffer.alloc(Math.floor(random() * MAX_SMALL_BYTES));
    const letters = 1 + Math.floor(random() ** 3 * 256);
    const pieces = random();
    for (let at = 0; at < input.length; ) {
      const length = 1 + Math.floor(random() * 90);
      const from = Math.floor(random() * at);
      for (let i = 0; i < length && at < input.length; i++, at++) {
        input[at] =
          at > 0 && pieces > random() ? (input[from + i] as number) : Math.floor(random() * letters);
      }
    }
    restores(input, `seed ${seed}, round ${round}`);
  }
});

test('the worst input for its form fits into the memory', () => {
  // Literals of 60 new bytes, each followed by a copy of 4 bytes from more than 2,047 bytes before.
  const random = seededRandom(7);
  const input = Buffer.from(Array.from({ length: MAX_SMALL_BYTES }, () => Math.floor(random() * 256)));
  for (let at = 2112; at < input.length; at += 64) input.copy(input, at, at - 2100, at - 2096);
  restores(input, 'the worst');
});

test('readings become about as small as with the package', () => {
  const block = nativeBlock() ?? portableBlock();
  for (const records of [2, 4, 12]) {
    const lines = Array.from({ length: records }, (_, n) =>
      JSON.stringify({
        zipcode: String(10_000 + n * 7),
        city: 'Rotterdam',
        data: { temperature: 20 + n / 3 },
      }),
    );
    const input = Buffer.from(lines.join('\u0000'));
    assert.ok(compressed(input).length <= block(input).length * 1.05 + 4);
  }
});
