// The memory of an open batch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordChunks } from '../../../src/kafka/batches/record-chunks.ts';

function write(chunks: RecordChunks, bytes: number): void {
  chunks.reserve(bytes);
  chunks.written(chunks.at + bytes);
}

test('a small batch with some records more than the one before takes no second chunk', () => {
  const chunks = new RecordChunks(300);
  for (let record = 0; record < 8; record++) write(chunks, 300);
  assert.deepEqual(
    chunks.parts().map(({ length }) => length),
    [2400],
  );
  chunks.free();
});

test('no chunk is larger than a block of snappy, but for a record that is', () => {
  const chunks = new RecordChunks(1_000_000);
  for (let record = 0; record < 200; record++) write(chunks, 1000);
  write(chunks, 100_000);
  const sizes = chunks.parts().map(({ length }) => length);
  assert.deepEqual(sizes, [65_000, 65_000, 65_000, 5_000, 100_000]);
  chunks.free();
});
