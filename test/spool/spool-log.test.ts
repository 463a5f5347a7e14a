import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SpoolFullError } from '../../src/spool/spool-log.ts';
import {
  drain,
  drainIn,
  filesIn,
  idsFrom,
  makeBatch,
  namesIn,
  openLog,
  readAll,
  temporaryDirectory,
  upTo,
} from './support.ts';

describe('a spool log', () => {
  it('returns batches in their order, with rising offsets and unchanged bytes', async (t) => {
    const { log } = await openLog(temporaryDirectory(t), { sync: 'batch' });
    const sent = await Promise.all([3, 1, 2].map((count, id) => makeBatch(id, count)));
    for (const batch of sent) await log.append([Buffer.from(batch)]);
    const read = [await log.next(), await log.next(), await log.next()];
    assert.deepEqual(
      read.map((batch) => batch && [batch.offset, batch.count, batch.stamped]),
      [
        [0, 3, false],
        [3, 1, false],
        [4, 2, false],
      ],
    );
    for (const [index, batch] of read.entries()) assert.deepEqual(batch?.bytes, sent[index]);
    assert.equal(await log.next(), undefined);
    await log.close();
  });

  it('writes a group with one append, each batch at its own offset', async (t) => {
    const { log } = await openLog(temporaryDirectory(t));
    await log.append(await Promise.all(upTo(2000).map((id) => makeBatch(id, 2))));
    assert.equal(log.nextOffset, 4000);
    const offsets = (await readAll(log)).map(({ offset }) => offset);
    const expected = upTo(2000).map((n) => n * 2);
    assert.deepEqual(offsets, expected);
    await log.close();
  });

  it('begins a new segment at the size limit and deletes acknowledged ones', async (t) => {
    const directory = temporaryDirectory(t);
    const { log, held } = await openLog(directory, { segmentBytes: 1000 });
    for (let id = 0; id < 6; id++) await log.append([await makeBatch(id, 1, 400)]);
    assert.deepEqual(filesIn(directory, '.log'), [
      `${'0'.repeat(20)}.log`,
      `${'2'.padStart(20, '0')}.log`,
      `${'4'.padStart(20, '0')}.log`,
    ]);
    const before = held();
    await log.acknowledge(1);
    assert.equal(filesIn(directory, '.log').length, 3);
    await log.acknowledge(3);
    assert.deepEqual(filesIn(directory, '.log').length, 2);
    assert.ok(held() < before);
    assert.equal(log.records, 3);
    await log.close();
  });

  it('takes no space once everything is acknowledged, and continues its offsets, also after restarts', async (t) => {
    const directory = temporaryDirectory(t);
    const first = await openLog(directory);
    for (let id = 0; id < 3; id++) await first.log.append([await makeBatch(id, 2)]);
    assert.deepEqual(await drain(first.log), ['0', '1', '2']);
    assert.deepEqual([first.log.records, first.log.bytes, first.held()], [0, 0, 0]);
    assert.deepEqual(filesIn(directory, '.log'), []);
    await first.log.append([await makeBatch('a', 5)]);
    await first.log.close();

    const second = await openLog(directory);
    assert.deepEqual([second.recovered.records, second.log.nextOffset, second.log.acknowledged], [5, 11, 6]);
    await second.log.append([await makeBatch('b')]);
    assert.deepEqual(await readAll(second.log), [
      { id: 'a', offset: 6 },
      { id: 'b', offset: 11 },
    ]);
    await second.log.close();
  });

  it('refuses at the cap without writing, and takes batches again once space is free', async (t) => {
    const directory = temporaryDirectory(t);
    const batch = await makeBatch(0, 1, 400);
    const { log, held } = await openLog(directory, { maxBytes: 2 * batch.length });
    await log.append([batch]);
    await log.append([await makeBatch(1, 1, 400)]);
    const [bytes, nextOffset] = [log.bytes, log.nextOffset];
    await assert.rejects(log.append([await makeBatch(2, 1, 400)]), SpoolFullError);
    assert.deepEqual([log.bytes, log.nextOffset, held()], [bytes, nextOffset, 2 * batch.length]);
    assert.deepEqual(await drain(log), ['0', '1']);
    await log.append([await makeBatch(2, 1, 400)]);
    assert.deepEqual(await drain(log), ['2']);
    await log.close();
  });

  it('is fully read only while every batch has been read', async (t) => {
    const { log } = await openLog(temporaryDirectory(t));
    assert.equal(log.isFullyRead, true);
    await log.append([await makeBatch(0)]);
    assert.equal(log.isFullyRead, false);
    await log.next();
    assert.equal(log.isFullyRead, true);
    await log.append([await makeBatch(1)]);
    assert.equal(log.isFullyRead, false);
    assert.equal((await log.next())?.offset, 1);
    await log.close();
  });

  it('rewinds to the first batch that is not acknowledged', async (t) => {
    const { log } = await openLog(temporaryDirectory(t), { segmentBytes: 300 });
    for (let id = 0; id < 5; id++) await log.append([await makeBatch(id, 1, 100)]);
    await readAll(log);
    await log.acknowledge(2);
    await log.rewind();
    assert.deepEqual(await idsFrom(log), ['2', '3', '4']);
    await log.close();
  });

  it('keeps a batch that is appended while everything before it is acknowledged and deleted', async (t) => {
    for (const sync of ['batch', 'os'] as const) {
      const directory = temporaryDirectory(t);
      const { log, held } = await openLog(directory, { sync });
      const got: string[] = [];
      for (let id = 0; id < 100; id++) {
        await log.append([await makeBatch(`${id}a`)]);
        const batch = await log.next();
        assert.ok(batch);
        got.push(namesIn(batch.bytes)[0] ?? '');
        // The live batch is being written while the acknowledgement of the batch before empties the log.
        await Promise.all([
          log.append([await makeBatch(`${id}b`, 1, 3000)]),
          log.acknowledge(batch.offset + batch.count),
        ]);
        got.push(...(await drain(log)).map((one) => `${one}/0`));
      }
      const expected = upTo(100).flatMap((id) => [`${id}a/0`, `${id}b/0`]);
      assert.deepEqual(got, expected);
      assert.equal(held(), 0);
      await log.close();
    }
  });

  it('closes after the append in progress', async (t) => {
    const directory = temporaryDirectory(t);
    const { log } = await openLog(directory, { sync: 'batch' });
    const appended = log.append([await makeBatch('last', 1, 100_000)]);
    await log.close();
    await appended;
    assert.deepEqual((await drainIn(directory)).ids, ['last']);
  });

  it('remembers its producer, but not for batches that a later process adds', async (t) => {
    const directory = temporaryDirectory(t);
    const assignment = { fromOffset: 0, producerId: 2n ** 60n, producerEpoch: 3, firstSequence: 2 ** 31 - 1 };
    const first = await openLog(directory);
    await first.log.append([await makeBatch(0), await makeBatch(1)]);
    await first.log.assign(assignment);
    await first.log.close();

    const second = await openLog(directory);
    const assigned = () => second.log.assignment?.fromOffset;
    assert.deepEqual(second.log.assignment, assignment);
    await second.log.append([await makeBatch(2)]);
    await second.log.next();
    await second.log.next();
    assert.equal(assigned(), 0);
    await second.log.next();
    assert.equal(assigned(), undefined);
    await second.log.assign({ ...assignment, fromOffset: 2 });
    await second.log.append([await makeBatch(3)]);
    await second.log.next();
    assert.equal(assigned(), 2);
    await second.log.close();
  });
});
