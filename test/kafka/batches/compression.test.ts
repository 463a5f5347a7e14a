// The codecs: each one restores its input, and a missing one is refused. Java judges the bytes (test/e2e/codecs.test.ts).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CODEC_NAMES,
  CodecUnavailableError,
  createCodec,
  decompress,
} from '../../../src/kafka/batches/compression.ts';
import { MAX_SMALL_BYTES } from '../../../src/kafka/batches/small-snappy.ts';
import { compressFramed, nativeBlock, portableBlock } from '../../../src/kafka/batches/snappy.ts';
import { hasZstd, isHere } from './codecs-here.ts';

for (const name of CODEC_NAMES) {
  test(`${name} restores its input, and makes repetitive bytes smaller if it compresses`, {
    skip: isHere(name) ? false : `${name} is missing here`,
  }, async () => {
    const bytes = Buffer.from('{"temperature":21.5}'.repeat(500));
    const codec = createCodec(name);
    const given = [bytes.subarray(0, 3_333), bytes.subarray(3_333)];
    const parts = await codec.compress(given);
    const compressed = Buffer.concat(parts);
    assert.deepEqual(await decompress(codec.id, compressed), bytes);
    if (name === 'none') assert.equal(parts, given);
    else assert.ok(compressed.length < bytes.length / 5, `${compressed.length} bytes`);
  });
}

test('a Node.js without zstd refuses it with exit code 78 and names other codecs', {
  skip: hasZstd,
}, () => {
  assert.throws(
    () => createCodec('zstd'),
    (error: unknown) => {
      assert.ok(error instanceof CodecUnavailableError);
      assert.equal(error.exitCode, 78);
      assert.equal(error.code, 'CODEC_UNAVAILABLE');
      assert.match(
        error.message,
        /KAFKA_COMPRESSION=zstd needs Node 22\.15 or later, this is v\d+.*; use snappy, lz4 or gzip/,
      );
      return true;
    },
  );
});

for (const [kind, block] of [
  ['native', nativeBlock()],
  ['in JavaScript', portableBlock()],
] as const) {
  test(`snappy ${kind} restores every byte on both sides of the block size`, {
    skip: block === undefined ? 'no prebuilt snappy for this platform' : false,
  }, async () => {
    if (block === undefined) return;
    for (const size of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
      const bytes = Buffer.alloc(size, '{"temperature":21.5,"n":123456789}');
      const parts = compressFramed([bytes], block);
      assert.equal(parts.length, size <= MAX_SMALL_BYTES ? 1 : 1 + 2 * Math.ceil(size / 65_536));
      assert.deepEqual(await decompress(2, Buffer.concat(parts)), bytes, `${size} bytes`);
    }
  });
}
