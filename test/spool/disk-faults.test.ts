// The spool on a disk that is full (a small tmpfs) or fails (strace makes system calls fail).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statfsSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type DiskTrouble, PartitionSpool } from '../../src/spool/partition-spool.ts';
import { SpoolCap } from '../../src/spool/spool-cap.ts';
import type { SpoolLog } from '../../src/spool/spool-log.ts';
import { waitFor } from '../support/wait.ts';
import {
  type Child,
  drain,
  drainIn,
  filesIn,
  hasStrace,
  idOf,
  makeBatch,
  mount,
  openLog,
  openSpool,
  startChild,
  storeIn,
  subdirectory,
  temporaryDirectory,
  upTo,
} from './support.ts';

const RECORD_BYTES = 10_000;

/** A file that takes all free space until it is deleted. */
function fill(directory: string): string {
  const path = join(directory, 'ballast');
  const fd = openSync(path, 'a');
  try {
    for (const bytes of [65_536, 4096, 1]) {
      const chunk = Buffer.alloc(bytes);
      try {
        while (writeSync(fd, chunk) > 0);
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
      }
    }
  } finally {
    closeSync(fd);
  }
  assert.equal(statfsSync(directory).bfree, 0);
  return path;
}

/** Ends with the test. The ids of its durable batches and its troubles are collected. */
function partitionSpool(t: TestContext, log: SpoolLog) {
  const [durable, troubles]: [string[], (string | null)[]] = [[], []];
  const abort = new AbortController();
  t.after(() => abort.abort());
  const events = {
    durable: (batches: readonly { bytes: Buffer }[]) =>
      durable.push(...batches.map(({ bytes }) => idOf(bytes))),
    trouble: (trouble: DiskTrouble | null) => troubles.push(trouble?.reason ?? null),
  };
  return { spool: new PartitionSpool(log, events, abort.signal), troubles, durable };
}

const smallDisk = (t: TestContext): string | undefined =>
  mount(t, ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs']);

describe('on a full disk', () => {
  it('an append fails and is cut back, and the same batch is taken once there is space', async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    const directory = join(disk, 'log');
    const { log, held } = await openLog(directory, { sync: 'batch' });
    const ids: string[] = [];
    let refused: Buffer[] = [];
    for (let id = 0; refused.length === 0; id++) {
      // Two at a time, so that a part of a write can succeed.
      const group = [await makeBatch(`${id}a`, 1, RECORD_BYTES), await makeBatch(`${id}b`, 1, RECORD_BYTES)];
      await log.append(group).then(
        () => ids.push(`${id}a`, `${id}b`),
        (error: NodeJS.ErrnoException) => {
          assert.equal(error.code, 'ENOSPC');
          refused = group;
        },
      );
    }
    const [file = ''] = filesIn(directory, '.log');
    assert.equal(statSync(join(directory, file)).size, log.bytes);
    assert.equal(held(), log.bytes);
    assert.ok(ids.length > 20);

    // A drain needs no space and frees some.
    const ballast = fill(disk);
    const first = await log.next();
    assert.ok(first);
    await log.acknowledge(first.offset + first.count);
    unlinkSync(ballast);
    const rest = await drain(log);
    assert.deepEqual([idOf(first.bytes), ...rest], ids);
    assert.deepEqual(filesIn(directory, '.log'), []);
    await log.append(refused);
    const last = ids.length / 2;
    assert.deepEqual(await drain(log), [`${last}a`, `${last}b`]);
    await log.close();
  });

  it('an acknowledged segment is deleted even while appends fail', async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    const directory = join(disk, 'log');
    const { log } = await openLog(directory, { sync: 'batch' });
    await log.append([await makeBatch('old', 1, 300_000)]);
    const batch = await log.next();
    assert.ok(batch);
    const next = await makeBatch('new', 1, 300_000);
    // The acknowledgement comes during a write that only has room once the acknowledged segment is deleted.
    await Promise.all([
      assert.rejects(log.append([next]), { code: 'ENOSPC' }),
      log.acknowledge(batch.offset + batch.count),
    ]);
    await log.append([next]);
    assert.deepEqual(await drain(log), ['new']);
    await log.close();
  });

  it('the spool opens, returns its batches and deletes them', async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    const directory = subdirectory(disk, 'spool');
    const options = { directory, cap: new SpoolCap(2 ** 30), partitions: 1 };
    const first = await openSpool(t, options);
    const topic = await first.spool.topic('metrics');
    for (let id = 0; id < 5; id++) {
      await (await topic.log(0)).append([await makeBatch(id, 1, RECORD_BYTES)]);
    }
    await first.spool.close();
    // The worst case: there is not even room for a cursor or for the lock's owner.
    unlinkSync(join(directory, 'metrics-0', 'cursor'));
    fill(disk);
    const { spool, report } = await openSpool(t, options);
    assert.equal(report.records, 5);
    const log = await (await spool.topic('metrics')).log(0);
    const ids: string[] = [];
    for (let batch = await log.next(); batch !== undefined; batch = await log.next()) {
      ids.push(idOf(batch.bytes));
      await log.acknowledge(batch.offset + batch.count).catch((error: NodeJS.ErrnoException) => {
        assert.equal(error.code, 'ENOSPC');
      });
    }
    assert.deepEqual(ids, ['0', '1', '2', '3', '4']);
    assert.deepEqual([spool.bytes, filesIn(join(directory, 'metrics-0'), '.log')], [0, []]);
    await log.append([await makeBatch('again')]);
    assert.deepEqual(await drain(log), ['again']);
    await spool.close();
  });

  it('a partition reports it, retries in order, and reports its end', async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    const { log } = await openLog(join(disk, 'log'), { sync: 'batch' });
    const ballast = fill(disk);
    const { spool, troubles, durable } = partitionSpool(t, log);
    for (const id of ['a', 'b', 'c']) spool.add({ bytes: await makeBatch(id, 1, RECORD_BYTES) });
    await waitFor('the partition to say so', () => troubles.length > 0);
    assert.deepEqual([troubles[0], durable], ['the spool’s disk is full', []]);
    assert.equal(spool.waiting, 3);
    unlinkSync(ballast);
    await waitFor('the batches to be durable', () => durable.length === 3);
    assert.deepEqual([durable, troubles.at(-1)], [['a', 'b', 'c'], null]);
    assert.deepEqual(await drain(log), ['a', 'b', 'c']);
    await log.close();
  });
});

it('batches taken back from a full disk have base offset zero, as Kafka wants it', async (t) => {
  const disk = smallDisk(t);
  if (disk === undefined) return;
  const { log } = await openLog(join(disk, 'log'), { sync: 'batch' });
  await log.append([await makeBatch('before', 7)]);
  fill(disk);
  const { spool, troubles } = partitionSpool(t, log);
  const batch = await makeBatch('a', 1, RECORD_BYTES);
  const original = Buffer.from(batch);
  spool.add({ bytes: batch });
  await waitFor('the refusal', () => troubles.length > 0);
  assert.notDeepEqual(batch, original);
  assert.deepEqual(spool.takeBack(), [{ bytes: original }]);
  await log.close();
});

describe('if the disk fails', () => {
  // One thread, because strace counts calls by thread. Opening writes and syncs the cursor first.
  const env = { UV_THREADPOOL_SIZE: '1' };
  const faults: Record<string, string[]> = {
    'in a write': ['-e', 'inject=pwrite64,pwritev:error=EIO:when=4'],
    'in several writes': ['-e', 'inject=pwrite64,pwritev:error=EIO:when=3..5'],
    'in a sync': ['-e', 'inject=fdatasync:error=EIO:when=4'],
    'in the first sync of a segment': ['-e', 'inject=fdatasync:error=EIO:when=2'],
    'in several syncs': ['-e', 'inject=fdatasync:error=EIO:when=3..6'],
    'in a sync, and in cutting back': [
      ...['-e', 'inject=fdatasync:error=EIO:when=4'],
      ...['-e', 'inject=ftruncate:error=EIO'],
    ],
  };
  for (const [where, inject] of Object.entries(faults)) {
    it(`${where}, the batch is not confirmed, goes to a new segment and is stored once`, async (t) => {
      if (!hasStrace(t)) return;
      const directory = temporaryDirectory(t);
      const trace = ['strace', '-f', '-o', '/dev/null', '-e', 'trace=pwrite64,pwritev,fdatasync,ftruncate'];
      const child = startChild(t, ['append', directory, '6'], { before: [...trace, ...inject], env });
      assert.equal(await child.ended, 0);
      const refused = child.lines.filter((line) => line.startsWith('refused'));
      assert.ok(refused.length > 0 && refused.every((line) => line.endsWith('EIO')), child.lines.join(' | '));
      const stored = child.lines.filter((line) => line.startsWith('stored'));
      assert.equal(stored.length, 6);
      assert.equal(filesIn(directory, '.log').length, where.includes('first') ? 1 : 2);
      const { ids, recovered } = await drainIn(directory);
      assert.equal(recovered.records, 18);
      assert.deepEqual(ids, ['000000', '000001', '000002', '000003', '000004', '000005']);
    });
  }

  it('and the process dies before it writes the batch again, every confirmed batch is there', async (t) => {
    if (!hasStrace(t)) return;
    const directory = temporaryDirectory(t);
    const inject = ['-e', 'trace=fdatasync', '-e', 'inject=fdatasync:error=EIO:when=4+'];
    const child = startChild(t, ['append', directory, '6'], {
      before: ['strace', '-f', '-o', '/dev/null', ...inject],
      env,
    });
    await child.line('refused 2');
    // Kill the child and not strace, without which the child would go on without the fault.
    process.kill(Number((await child.line('open')).slice('open '.length)), 'SIGKILL');
    await child.ended;
    const { ids } = await drainIn(directory);
    assert.deepEqual(ids.slice(0, 2), ['000000', '000001']);
    assert.ok(ids.length <= 3);
  });
});

describe('a segment that cannot be read while it is drained', () => {
  /** A log of ten batches of three records in each of three segments. */
  async function threeSegments(directory: string): Promise<string[]> {
    await storeIn(directory, upTo(30), { count: 3, recordBytes: 10_000, segmentBytes: 300_000 });
    const names = filesIn(directory, '.log').map((name) => join(directory, name));
    assert.equal(names.length, 4);
    return names;
  }

  /** A process that drains the log. Its reads of the file fail from now on as `when` says. */
  async function drainWithFaults(
    t: TestContext,
    directory: string,
    file: string,
    when: string,
  ): Promise<Child> {
    const child = startChild(t, ['drain', directory], { env: { UV_THREADPOOL_SIZE: '1' } });
    await child.line('open');
    const inject = `inject=pread64:error=EIO${when}`;
    const args = ['-f', '-p', `${child.process.pid}`, '-o', '/dev/null', '-P', file];
    const strace = spawn('strace', [...args, '-e', 'trace=pread64', '-e', inject], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    t.after(() => strace.kill('SIGKILL'));
    await once(strace.stderr, 'data');
    child.process.stdin?.write('go\n');
    return child;
  }

  const numbers = (child: Child, start: string): string[] =>
    child.lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));

  it('is retried for a while, and then skipped, counted, reported and moved aside whole', async (t) => {
    if (!hasStrace(t)) return;
    const directory = temporaryDirectory(t);
    const [, second = ''] = await threeSegments(directory);
    const bytes = readFileSync(second);
    const lost = Number(basename(second, '.log'));
    const child = await drainWithFaults(t, directory, second, '');
    assert.equal(await child.ended, 0, child.lines.join(' | '));
    assert.equal(numbers(child, 'failed EIO').length, 4);
    const [unreadable = ''] = numbers(child, 'unreadable ');
    const [, end = ''] = /^\d+-(\d+) EIO$/.exec(unreadable) ?? [];
    assert.equal(unreadable, `${lost}-${end} EIO`);
    const expected = upTo(30).filter((id) => id * 3 < lost || id * 3 >= Number(end));
    assert.deepEqual(numbers(child, 'read ').map(Number), expected);
    assert.deepEqual(numbers(child, 'lost '), [`1 ${Number(end) - lost}`]);
    assert.deepEqual(filesIn(directory, '.log'), []);
    assert.deepEqual(readFileSync(`${second}.bad`), bytes);
  });

  it('only for a moment loses nothing', async (t) => {
    if (!hasStrace(t)) return;
    const directory = temporaryDirectory(t);
    const [, second = ''] = await threeSegments(directory);
    const child = await drainWithFaults(t, directory, second, ':when=1..3');
    assert.equal(await child.ended, 0, child.lines.join(' | '));
    assert.equal(numbers(child, 'failed EIO').length, 3);
    assert.deepEqual(numbers(child, 'read ').map(Number), upTo(30));
    assert.deepEqual(numbers(child, 'lost '), ['0 0']);
    assert.deepEqual(filesIn(directory, '.bad'), []);
  });
});
