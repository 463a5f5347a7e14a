import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODEC_NAMES, CodecUnavailableError, createCodec } from '../../src/kafka/compression.ts';
import { hasZstd, isHere } from './codecs-here.ts';

for (const name of CODEC_NAMES) {
  test(`${name} makes repetitive bytes smaller, where it compresses at all`, {
    skip: isHere(name) ? false : `${name} is not here`,
  }, async () => {
    const bytes = Buffer.from('{"temperature":21.5}'.repeat(500));
    const compressed = await createCodec(name).compress(bytes);
    if (name === 'none') assert.equal(compressed, bytes);
    else assert.ok(compressed.length < bytes.length / 5, `${compressed.length} bytes`);
  });
}

test('zstd on a Node.js without it is refused with what to use instead and exit code 78', {
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
