// Sealing a batch: at once, unless another thread compresses it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCodec, decompress } from '../../../src/kafka/batches/compression.ts';
import { HEADER_BYTES, readBatchFields } from '../../../src/kafka/batches/record-batch.ts';
import { batchOf, fakeSession } from '../delivery/fakes.ts';
import { codecsHere } from './codecs-here.ts';

for (const name of codecsHere) {
  const codec = createCodec(name);
  const when = codec.isAsync ? 'later, and further calls wait for the first' : 'in the call';
  test(`a batch is sealed with ${name} ${when}`, async () => {
    const batch = batchOf(fakeSession(), 3, 5);
    const sealing = batch.seal(codec);
    assert.equal(batch.closed, true);
    if (codec.isAsync) {
      assert.equal(batch.bytes, undefined);
      assert.equal(batch.seal(codec), sealing);
      assert.equal(batch.count, 5);
      await sealing;
    } else assert.equal(sealing, undefined);
    assert.ok(batch.bytes !== undefined);
    assert.equal(batch.seal(codec), undefined);
    assert.equal(batch.count, 5);
    const records = await decompress(
      readBatchFields(batch.bytes).codecId,
      batch.bytes.subarray(HEADER_BYTES),
    );
    assert.equal(records.toString('latin1').split('"n":').length - 1, 5);
    assert.throws(() => batch.writer, /takes no records/);
  });
}

test('each connection of a batch hears its own seq, also if there is only one or none', () => {
  const sessions = ['a', 'b', 'c'].map((id) => fakeSession('90210', id));
  for (const asked of [[], [0], [0, 1], [0, 1, 0, 2, 1]]) {
    const batch = batchOf(fakeSession(), 0, 1);
    for (const session of sessions) session.storedSeqs.length = 0;
    const expected = sessions.map((): number[] => []);
    for (const [seq, index] of asked.entries()) {
      const session = sessions[index];
      assert.ok(session !== undefined);
      batch.confirm(session, seq);
      expected[index] = [seq];
    }
    batch.settle();
    assert.deepEqual(
      sessions.map(({ storedSeqs }) => [...storedSeqs]),
      expected,
    );
  }
});
