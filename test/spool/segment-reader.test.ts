// Reading past segments that the disk fails to read.
import assert from 'node:assert/strict';
import fs, { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Unreadable } from '../../src/spool/read-errors.ts';
import type { SpoolLog } from '../../src/spool/spool-log.ts';
import {
  drainIn,
  filesIn,
  idOf,
  makeBatch,
  openFilesIn,
  openLog,
  storeIn,
  temporaryDirectory,
} from './support.ts';

/** Runs `work` while segments whose names end like this cannot be opened for reading. */
async function withoutReading<T>(code: string, ending: string, work: () => Promise<T>): Promise<T> {
  const { open } = fs.promises;
  fs.promises.open = (path, flags, ...rest) =>
    flags === 'r' && String(path).endsWith(ending)
      ? Promise.reject(Object.assign(new Error('not read'), { code }))
      : open(path, flags, ...rest);
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    fs.promises.open = open;
    syncBuiltinESMExports();
  }
}

async function nextId(log: SpoolLog): Promise<string | undefined> {
  const batch = await log.next();
  return batch && idOf(batch.bytes);
}

it('an active segment is given up as far as it was written, and moved aside', async (t) => {
  const directory = temporaryDirectory(t);
  const lost: Unreadable[] = [];
  const { log } = await openLog(directory, {
    reading: { patience: { tries: 2, ms: 0 }, unreadable: (one) => lost.push(one) },
  });
  for (const id of ['a', 'b', 'c']) await log.append([await makeBatch(id, 2)]);
  const [name = ''] = filesIn(directory, '.log');
  const path = join(directory, name);
  const bytes = readFileSync(path);
  await withoutReading('EIO', '.log', async () => {
    await assert.rejects(log.next(), { code: 'EIO' });
    // The segment grows while its end is skipped.
    const [given] = await Promise.all([nextId(log), log.append([await makeBatch('d', 2)])]);
    assert.equal(given, undefined);
  });
  assert.deepEqual(lost, [{ path, from: 0, to: 6, reason: 'EIO' }]);
  assert.equal(await nextId(log), 'd');
  await log.acknowledge(8);
  assert.deepEqual([log.badBatches, log.badRecords], [1, 6]);
  assert.deepEqual([filesIn(directory, '.log'), filesIn(directory, '.bad')], [[], [`${name}.bad`]]);
  // It may become readable again.
  assert.deepEqual(readFileSync(`${path}.bad`).subarray(0, bytes.length), bytes);
  await log.close();
});

it('records behind a segment that can no longer be opened can be copied', async (t) => {
  const directory = temporaryDirectory(t);
  const { log } = await openLog(directory, {
    segmentBytes: 1,
    reading: { patience: { tries: 1, ms: 0 } },
  });
  for (const id of ['a', 'b']) await log.append([await makeBatch(id)]);
  const [first = ''] = filesIn(directory, '.log');
  await withoutReading('EIO', first, async () => {
    // The segment was not given up yet, so it may hold records that must be synced.
    await assert.rejects(log.syncUpTo(2), { code: 'EIO' });
    assert.equal(await nextId(log), 'b');
    await log.syncUpTo(2);
    await log.acknowledgeCopied(2, () => {});
  });
  assert.deepEqual([log.records, log.badRecords], [0, 1]);
  assert.deepEqual(filesIn(directory, '.bad'), [`${first}.bad`]);
  await log.close();
});

it('a process that has run out of descriptors does not take a segment for unreadable', async (t) => {
  const directory = temporaryDirectory(t);
  const { log } = await openLog(directory, { reading: { patience: { tries: 1, ms: 0 } } });
  await log.append([await makeBatch('a')]);
  await withoutReading('EMFILE', '.log', async () => {
    for (let tries = 0; tries < 3; tries++) await assert.rejects(log.next(), { code: 'EMFILE' });
  });
  assert.equal(await nextId(log), 'a');
  await log.close();
});

it('a start reports which records the disk fails to read, and moves their file aside', async (t) => {
  const directory = temporaryDirectory(t);
  await storeIn(directory, ['a', 'b'], { count: 2, segmentBytes: 100 });
  const names = filesIn(directory, '.log');
  const lost: Unreadable[] = [];
  await withoutReading('EIO', '.log', async () => {
    const { log, recovered } = await openLog(directory, { reading: { unreadable: (one) => lost.push(one) } });
    assert.deepEqual([recovered.records, recovered.badBatches], [0, 2]);
    await log.close();
  });
  assert.deepEqual(
    lost.map(({ from, to, reason }) => [from, to, reason]),
    [
      [2, null, 'EIO'],
      [0, null, 'EIO'],
    ],
  );
  const moved = names.map((name) => `${name}.bad`);
  assert.deepEqual(filesIn(directory, '.bad'), moved);
});

it('a start that has run out of descriptors fails, and moves nothing aside', async (t) => {
  const directory = temporaryDirectory(t);
  await storeIn(directory, ['a']);
  await withoutReading('EMFILE', '.log', () => assert.rejects(openLog(directory), { code: 'EMFILE' }));
  assert.deepEqual((await drainIn(directory)).ids, ['a']);
});

it('a log that is closed during a read leaves no file open', async (t) => {
  for (let ticks = 0; ticks < 40; ticks++) {
    const directory = temporaryDirectory(t);
    const { log } = await openLog(directory, { segmentBytes: 1 });
    for (const id of ['a', 'b', 'c']) await log.append([await makeBatch(id)]);
    assert.equal(await nextId(log), 'a');
    const reading = log.next().catch(() => undefined);
    for (let tick = 0; tick < ticks; tick++) await (tick % 4 === 3 ? turn() : Promise.resolve());
    await log.close();
    await reading;
    await log.next().catch(() => undefined);
    assert.deepEqual(openFilesIn(directory), [], `closed after ${ticks} ticks`);
  }
});
