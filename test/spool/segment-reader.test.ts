// Reading past what the disk does not give back.
import assert from 'node:assert/strict';
import fs, { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Unreadable } from '../../src/spool/read-errors.ts';
import type { SpoolLog } from '../../src/spool/spool-log.ts';
import { filesIn, idOf, makeBatch, openFilesIn, openLog, temporaryDirectory } from './support.ts';

/** Runs `work` while no segment can be opened for reading whose name ends so. */
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

it('a segment that is being written is given up as far as it was written, and put away', async (t) => {
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
    // A try beside the drain: the segment grows while its end is passed over.
    const [given] = await Promise.all([nextId(log), log.append([await makeBatch('d', 2)])]);
    assert.equal(given, undefined);
  });
  assert.deepEqual(lost, [{ path, from: 0, to: 6, reason: 'EIO' }]);
  assert.equal(await nextId(log), 'd');
  await log.acknowledge(8);
  assert.deepEqual([log.badBatches, log.badRecords], [1, 6]);
  assert.deepEqual([filesIn(directory, '.log'), filesIn(directory, '.bad')], [[], [`${name}.bad`]]);
  // It may be readable again one day.
  assert.deepEqual(readFileSync(`${path}.bad`).subarray(0, bytes.length), bytes);
  await log.close();
});

it('what lies behind a segment that cannot be opened any more can be copied', async (t) => {
  const directory = temporaryDirectory(t);
  const { log } = await openLog(directory, {
    segmentBytes: 1,
    reading: { patience: { tries: 1, ms: 0 } },
  });
  for (const id of ['a', 'b']) await log.append([await makeBatch(id)]);
  const [first = ''] = filesIn(directory, '.log');
  await withoutReading('EIO', first, async () => {
    // Nobody has given the segment up yet: it may hold records that have to be synced.
    await assert.rejects(log.syncUpTo(2), { code: 'EIO' });
    assert.equal(await nextId(log), 'b');
    await log.syncUpTo(2);
    await log.acknowledgeCopied(2, () => {});
  });
  assert.deepEqual([log.records, log.badRecords], [0, 1]);
  assert.deepEqual(filesIn(directory, '.bad'), [`${first}.bad`]);
  await log.close();
});

it('a process that has run out of files never takes that for an unreadable segment', async (t) => {
  const directory = temporaryDirectory(t);
  const { log } = await openLog(directory, { reading: { patience: { tries: 1, ms: 0 } } });
  await log.append([await makeBatch('a')]);
  await withoutReading('EMFILE', '.log', async () => {
    for (let tries = 0; tries < 3; tries++) await assert.rejects(log.next(), { code: 'EMFILE' });
  });
  assert.equal(await nextId(log), 'a');
  await log.close();
});

it('a start says which records the disk does not give back, and puts their file away', async (t) => {
  const directory = temporaryDirectory(t);
  const { log } = await openLog(directory, { segmentBytes: 100 });
  for (const id of ['a', 'b']) await log.append([await makeBatch(id, 2)]);
  await log.close();
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
  assert.deepEqual(
    filesIn(directory, '.bad'),
    names.map((name) => `${name}.bad`),
  );
});

it('a start that has run out of files fails, and puts nothing away', async (t) => {
  const directory = temporaryDirectory(t);
  const { log } = await openLog(directory);
  await log.append([await makeBatch('a')]);
  await log.close();
  await withoutReading('EMFILE', '.log', () => assert.rejects(openLog(directory), { code: 'EMFILE' }));
  const again = await openLog(directory);
  assert.equal(await nextId(again.log), 'a');
  await again.log.close();
});

it('a log that is closed while it is being read leaves no file open', async (t) => {
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
