import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { SpoolLog } from '../../src/spool/spool-log.ts';
import {
  drain,
  drainIn,
  filesIn,
  flipBit,
  hasStrace,
  idsFrom,
  makeBatch,
  mount,
  openLog,
  readAll,
  startChild,
  storeIn,
  temporaryDirectory,
  upTo,
} from './support.ts';

const FIRST = `${'0'.repeat(20)}.log`;
const IDS = ['a', 'b', 'c'];
/** Fields of a batch that no checksum covers and nothing depends on: base offset and leader epoch. */
const isHarmless = (at: number): boolean => at < 8 || (at >= 12 && at < 16);

/** A log with the batches a (2 records), b (3) and c (4) in one segment, the start of each, and the end. */
async function threeBatches(directory: string): Promise<{ file: string; bytes: Buffer; starts: number[] }> {
  const { log } = await openLog(directory);
  const starts = [0];
  for (const [index, id] of IDS.entries()) {
    await log.append([await makeBatch(id, index + 2)]);
    starts.push(log.bytes);
  }
  await log.close();
  const file = join(directory, FIRST);
  return { file, bytes: readFileSync(file), starts };
}

/** The log of `threeBatches` with other bytes in its segment. */
function restore(directory: string, file: string, bytes: Buffer): void {
  rmSync(directory, { recursive: true });
  mkdirSync(directory);
  writeFileSync(file, bytes);
}

function flipped(bytes: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ (1 << bit);
  return copy;
}

async function drainAndCheckEmpty(log: SpoolLog, directory: string): Promise<string[]> {
  const ids = await drain(log);
  assert.deepEqual([log.records, log.bytes, filesIn(directory, '.log')], [0, 0, []]);
  await log.close();
  return ids;
}

describe('a log that was cut off', () => {
  it('at any byte of its last batch loses only that batch, and continues behind the others', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    const { file, bytes, starts } = await threeBatches(directory);
    const [, , lastStart = 0] = starts;
    for (let end = lastStart; end < bytes.length; end++) {
      restore(directory, file, bytes.subarray(0, end));
      const { log, recovered } = await openLog(directory);
      assert.deepEqual(recovered, {
        records: 5,
        bytes: lastStart,
        cutBytes: end - lastStart,
        badBatches: 0,
        badRecords: 0,
      });
      assert.equal(statSync(file).size, lastStart);
      await log.append([await makeBatch('d')]);
      assert.deepEqual(await drainAndCheckEmpty(log, directory), ['a', 'b', 'd'], `cut at ${end}`);
      assert.deepEqual(filesIn(directory, '.bad'), []);
    }
  });

  it('and filled up with any number of zeros loses no earlier batch', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    const { file, bytes, starts } = await threeBatches(directory);
    const [, , lastStart = 0] = starts;
    const tails = [1, 11, 12, 61, 62, 4096, 9 * 2 ** 20].map((length) => [bytes.length, length] as const);
    const partly = [0, 8, 12, 30, 61, 70].map((kept) => [lastStart + kept, 4096] as const);
    for (const [kept, zeros] of [...tails, ...partly]) {
      restore(directory, file, Buffer.concat([bytes.subarray(0, kept), Buffer.alloc(zeros)]));
      const { log } = await openLog(directory);
      const ids = await drainAndCheckEmpty(log, directory);
      assert.deepEqual(ids, kept === bytes.length ? IDS : ['a', 'b'], `${kept} bytes and ${zeros} zeros`);
    }
  });
});

describe('a log with one flipped bit', () => {
  for (const [index, name] of [
    [0, 'first'],
    [1, 'middle'],
    [2, 'last'],
  ] as const) {
    it(`anywhere in its ${name} batch loses at most that batch, counts it and sets it aside`, async (t) => {
      const directory = join(temporaryDirectory(t), 'log');
      const { file, bytes, starts } = await threeBatches(directory);
      const [start, end] = starts.slice(index) as [number, number];
      const offsets: Record<string, number> = { a: 0, b: 2, c: 5 };
      for (let at = start; at < end; at++) {
        // One bit of each byte. Of a batch between two others, every bit of the header.
        for (const bit of name === 'middle' && at - start < 61 ? [0, 1, 2, 3, 4, 5, 6, 7] : [at % 8]) {
          const where = `bit ${bit} of byte ${at - start}`;
          restore(directory, file, flipped(bytes, at, bit));
          const { log, recovered } = await openLog(directory);
          const lost = isHarmless(at - start) ? [] : [IDS[index]];
          const expected = IDS.filter((id) => !lost.includes(id));
          assert.equal(recovered.badBatches, lost.length, where);
          assert.equal(recovered.cutBytes, 0, where);
          const batches = expected.map((id) => ({ id, offset: offsets[id] }));
          assert.deepEqual(await readAll(log), batches, where);
          const aside = filesIn(directory, '.bad').map((one) => readFileSync(join(directory, one)));
          const damaged = flipped(bytes, at, bit).subarray(start, end);
          assert.deepEqual(aside, lost.length === 0 ? [] : [damaged], where);
          await log.rewind();
          assert.deepEqual(await drainAndCheckEmpty(log, directory), expected, where);
        }
      }
    });

    it(`in its ${name} batch while it is open counts the missing records and reads to the end`, async (t) => {
      const directory = join(temporaryDirectory(t), 'log');
      const { file, bytes, starts } = await threeBatches(directory);
      const start = starts[index] as number;
      for (const at of [0, 3, 7, 8, 9, 10, 11, 13, 16, 17, 23, 43, 57, 60, 65]) {
        restore(directory, file, bytes);
        const { log } = await openLog(directory);
        writeFileSync(file, flipped(bytes, start + at, at % 8));
        const lost = isHarmless(at) ? 0 : 1;
        const ids = await drainAndCheckEmpty(log, directory);
        assert.deepEqual(ids, lost === 0 ? IDS : IDS.toSpliced(index, 1), `byte ${at}`);
        assert.deepEqual([log.badBatches, log.badRecords], [lost, lost * (index + 2)], `byte ${at}`);
      }
    });
  }

  it('in the length of its middle batch, and one anywhere in its last batch, sets aside what is damaged and cuts nothing off', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    const { file, bytes, starts } = await threeBatches(directory);
    const [, middle = 0, last = 0] = starts;
    for (let at = last; at < bytes.length; at++) {
      const both = flipped(flipped(bytes, middle + 8 + (at % 4), 0), at, at % 8);
      restore(directory, file, both);
      const { log, recovered } = await openLog(directory);
      const isIntact = isHarmless(at - last);
      assert.deepEqual([recovered.badBatches, recovered.cutBytes], [1, 0], `byte ${at - last}`);
      const aside = filesIn(directory, '.bad').map((one) => readFileSync(join(directory, one)));
      const damaged = both.subarray(middle, isIntact ? last : both.length);
      assert.deepEqual(aside, [damaged], `byte ${at - last}`);
      assert.deepEqual(
        await drainAndCheckEmpty(log, directory),
        isIntact ? ['a', 'c'] : ['a'],
        `byte ${at - last}`,
      );
    }
  });

  it('in one of many segments keeps all other batches in order', async (t) => {
    const directory = temporaryDirectory(t);
    const ids = upTo(40).map(String);
    await storeIn(directory, ids, { count: 2, recordBytes: 50, segmentBytes: 500 });
    const victim = join(directory, filesIn(directory, '.log')[7] as string);
    // The last batch of a finished segment. The name of the next segment shows what is missing.
    flipBit(victim, statSync(victim).size - 20, 3);
    const again = await openLog(directory);
    assert.deepEqual([again.recovered.badBatches, again.recovered.badRecords], [1, 2]);
    const read = await drain(again.log);
    assert.equal(read.length, 39);
    const inOrder = ids.filter((id) => read.includes(id));
    assert.deepEqual(read, inOrder);
    assert.equal(again.log.badRecords, 2);
    await again.log.close();
  });
});

describe('a cursor', () => {
  /** Ten batches of one record, of which four are acknowledged, some by way of an older cursor. */
  async function acknowledgedTo4(directory: string): Promise<{ cursor: string; older: Buffer }> {
    const { log } = await openLog(directory, { segmentBytes: 200 });
    for (let id = 0; id < 10; id++) await log.append([await makeBatch(id, 1, 50)]);
    const cursor = join(directory, 'cursor');
    await log.acknowledge(2);
    const older = readFileSync(cursor);
    await log.acknowledge(4);
    await log.close();
    return { cursor, older };
  }

  async function readAgain(directory: string): Promise<string> {
    const { log } = await openLog(directory, { segmentBytes: 200 });
    const ids = await idsFrom(log);
    await log.close();
    return ids.join('');
  }

  it('that is intact is followed', async (t) => {
    const directory = temporaryDirectory(t);
    await acknowledgedTo4(directory);
    assert.equal(await readAgain(directory), '456789');
  });

  const damage: Record<string, (cursor: string, older: Buffer) => void> = {
    missing: (cursor) => unlinkSync(cursor),
    empty: (cursor) => writeFileSync(cursor, ''),
    stale: (cursor, older) => writeFileSync(cursor, older),
    short: (cursor) => truncateSync(cursor, 40),
    'torn in both slots': (cursor) => writeFileSync(cursor, Buffer.alloc(128, 7)),
    'all zeros': (cursor) => writeFileSync(cursor, Buffer.alloc(128)),
    'a directory': (cursor) => {
      unlinkSync(cursor);
      mkdirSync(cursor);
    },
  };
  for (const [what, damageIt] of Object.entries(damage)) {
    it(`that is ${what} replays the log and skips nothing`, async (t) => {
      const directory = temporaryDirectory(t);
      const { cursor, older } = await acknowledgedTo4(directory);
      damageIt(cursor, older);
      const ids = await readAgain(directory);
      assert.ok('0123456789'.endsWith(ids) && ids.length >= 6, ids);
    });
  }

  it('with a flipped bit falls back at most one step', async (t) => {
    const directory = temporaryDirectory(t);
    const { cursor } = await acknowledgedTo4(directory);
    const whole = readFileSync(cursor);
    for (let at = 0; at < whole.length; at++) {
      writeFileSync(cursor, flipped(whole, at, at % 8));
      const ids = await readAgain(directory);
      assert.ok('23456789'.endsWith(ids) && ids.length >= 6, ids);
    }
  });

  it('beyond the end replays the whole log, until the log is acknowledged', async (t) => {
    const directory = temporaryDirectory(t);
    const { log } = await openLog(directory);
    for (let id = 0; id < 4; id++) await log.append([await makeBatch(id)]);
    await log.acknowledge(3);
    await log.close();
    const bytes = readFileSync(join(directory, FIRST));
    truncateSync(join(directory, FIRST), bytes.length / 2);
    const second = await openLog(directory);
    assert.deepEqual([second.log.acknowledged, second.log.nextOffset], [0, 2]);
    // New records get offsets that the old cursor had passed.
    for (const id of ['x', 'y', 'z']) await second.log.append([await makeBatch(id)]);
    const third = await openLog(directory);
    assert.deepEqual(await drain(third.log), ['0', '1', 'x', 'y', 'z']);
    await third.log.close();
    await second.log.close();
  });

  it('in a segment that was deleted begins with the next segment', async (t) => {
    const directory = temporaryDirectory(t);
    await acknowledgedTo4(directory);
    const cursor = readFileSync(join(directory, 'cursor'));
    const { log } = await openLog(directory);
    await log.acknowledge(7);
    await log.close();
    writeFileSync(join(directory, 'cursor'), cursor);
    assert.ok('6789'.endsWith(await readAgain(directory)));
  });

  it('behind a segment that should have been deleted deletes it at the next start', async (t) => {
    const directory = temporaryDirectory(t);
    const { log } = await openLog(directory, { segmentBytes: 200 });
    for (let id = 0; id < 6; id++) await log.append([await makeBatch(id, 1, 50)]);
    const names = filesIn(directory, '.log');
    const kept = names.map((name) => readFileSync(join(directory, name)));
    await log.acknowledge(4);
    await log.close();
    for (const [index, name] of names.entries()) writeFileSync(join(directory, name), kept[index] as Buffer);
    const again = await openLog(directory);
    assert.equal(again.recovered.records, 2);
    assert.deepEqual(await drain(again.log), ['4', '5']);
    assert.equal(again.held(), 0);
    await again.log.close();
    assert.deepEqual(filesIn(directory, '.log'), []);
  });
});

describe('in a log’s directory', () => {
  it('foreign files neither prevent the start nor cost a batch', async (t) => {
    const directory = temporaryDirectory(t);
    await threeBatches(directory);
    const segment = (offset: number): string => join(directory, `${String(offset).padStart(20, '0')}.log`);
    writeFileSync(join(directory, 'README'), 'hello');
    writeFileSync(join(directory, '3.log.txt'), 'hello');
    writeFileSync(segment(3), Buffer.alloc(5000, 'junk'));
    writeFileSync(segment(4), '');
    writeFileSync(segment(9), '');
    mkdirSync(segment(6));
    symlinkSync('/nowhere', segment(7));
    writeFileSync(join(directory, `${FIRST}.3.bad`), 'from before');
    const { log, recovered } = await openLog(directory);
    assert.deepEqual([recovered.records, log.nextOffset], [9, 9]);
    assert.equal(recovered.badBatches, 2);
    await log.append([await makeBatch('d')]);
    assert.deepEqual(await drainAndCheckEmpty(log, directory), [...IDS, 'd']);
  });

  it('a segment of nothing but damage does not prevent the start', async (t) => {
    const directory = temporaryDirectory(t);
    writeFileSync(join(directory, FIRST), Buffer.alloc(5 * 2 ** 20, 0xff));
    const { log, recovered } = await openLog(directory);
    assert.equal(recovered.records, 0);
    await log.append([await makeBatch('d')]);
    assert.deepEqual(await drainAndCheckEmpty(log, directory), ['d']);
  });

  it('a second copy of a batch that a failed sync left is not sent twice', async (t) => {
    const directory = temporaryDirectory(t);
    await storeIn(directory, IDS, { recordBytes: 50, segmentBytes: 150 });
    const names = filesIn(directory, '.log').map((name) => join(directory, name));
    assert.equal(names.length, 3);
    const [first, second, third] = names as [string, string, string];
    appendFileSync(first, readFileSync(second));
    appendFileSync(first, readFileSync(third));
    // And a copy whose group is incomplete.
    appendFileSync(second, readFileSync(third).subarray(0, 30));
    copyFileSync(first, `${first}.copy`);
    const { ids, recovered } = await drainIn(directory);
    assert.equal(recovered.records, 3);
    assert.deepEqual(ids, IDS);
  });
});

describe('recovery', () => {
  it('continues behind a part that the disk cannot read, and deletes nothing of it', async (t) => {
    if (!hasStrace(t)) return;
    const directory = temporaryDirectory(t);
    await storeIn(directory, upTo(80), { recordBytes: 250_000, segmentBytes: 12 * 2 ** 20 });
    const [first = '', second = ''] = filesIn(directory, '.log').map((name) => join(directory, name));
    const fault = ['-e', 'trace=pread64', '-e', 'inject=pread64:error=EIO:when=2+'];
    const child = startChild(t, ['recover', directory], {
      before: ['strace', '-f', '-o', '/dev/null', '-P', first, ...fault],
      env: { UV_THREADPOOL_SIZE: '1' },
    });
    const { badBatches } = JSON.parse((await child.line('recovered')).slice('recovered '.length)) as {
      badBatches: number;
    };
    assert.equal(await child.ended, 0);
    assert.equal(badBatches, 1);
    assert.ok(existsSync(first) && existsSync(second));
    // The disk works again, and everything is there.
    assert.equal((await drainIn(directory)).ids.length, 80);
  });

  it('sets damage aside durably before it cuts it off', async (t) => {
    if (!hasStrace(t)) return;
    const directory = join(temporaryDirectory(t), 'log');
    const { file, bytes, starts } = await threeBatches(directory);
    writeFileSync(file, flipped(bytes, (starts[2] as number) + 65, 0));
    const trace = `${directory}.trace`;
    const child = startChild(t, ['recover', directory], {
      before: ['strace', '-f', '-y', '-o', trace, '-e', 'trace=fsync,ftruncate'],
    });
    assert.equal(await child.ended, 0);
    const calls = readFileSync(trace, 'utf8').split('\n');
    const firstOf = (pattern: RegExp) => calls.findIndex((call) => pattern.test(call));
    const cut = firstOf(/ftruncate\(\d+<[^>]*\.log>/);
    assert.ok(cut > 0, calls.join('\n'));
    const copied = firstOf(/fsync\(\d+<[^>]*\.bad>/);
    assert.ok(copied >= 0 && copied < cut, calls.join('\n'));
    const named = calls.findIndex((call, index) => index > copied && /fsync\(\d+<[^>]*log>/.test(call));
    assert.ok(named >= 0 && named < cut, calls.join('\n'));
  });

  it('keeps a segment if there is no room to copy its damage, and moves it aside once it is drained', async (t) => {
    const disk = mount(t, ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs']);
    if (disk === undefined) return;
    const directory = join(disk, 'log');
    await storeIn(directory, IDS, { recordBytes: 150_000 });
    const file = join(directory, filesIn(directory, '.log')[0] ?? '');
    for (const index of [0, 2]) flipBit(file, index * 150_100 + 1000);
    const damaged = readFileSync(file);
    for (let start = 0; start < 2; start++) {
      const again = await openLog(directory);
      assert.deepEqual([again.recovered.badBatches, again.recovered.records], [2, 2]);
      assert.deepEqual(readFileSync(file), damaged);
      await again.log.close();
    }
    assert.deepEqual((await drainIn(directory)).ids, ['b']);
    assert.deepEqual(filesIn(directory, '.log'), []);
    const aside = filesIn(directory, '.bad').map((one) => readFileSync(join(directory, one)));
    assert.ok(aside.some((bytes) => bytes.equals(damaged)));
  });
});
