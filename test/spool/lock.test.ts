import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { awaitSpoolLock, SpoolLockedError } from '../../src/spool/lock.ts';
import { Spool } from '../../src/spool/spool.ts';
import { waitFor } from '../support/wait.ts';
import { type Child, makeBatch, startChild, temporaryDirectory } from './support.ts';

const started = async (t: TestContext, directory: string, env: Record<string, string>): Promise<Child> => {
  const child = startChild(t, ['lock', directory], { env });
  await Promise.race([child.line('locked'), child.line('refused')]).catch(() => undefined);
  return child;
};

for (const [how, env] of [
  ['with flock', {}],
  ['without flock', { PATH: '' }],
] as const) {
  describe(`a spool directory ${how}`, () => {
    it('is refused to a second process, with exit code 78', async (t) => {
      const directory = temporaryDirectory(t);
      const first = await started(t, directory, env);
      assert.deepEqual(first.lines, ['locked']);
      const second = await started(t, directory, env);
      assert.deepEqual(second.lines, ['refused SPOOL_LOCKED']);
      assert.equal(await second.ended, 78);
      // The second one's failure takes nothing from the first.
      assert.equal(await (await started(t, directory, env)).ended, 78);
    });

    it('is free as soon as its process was killed', async (t) => {
      const directory = temporaryDirectory(t);
      const first = await started(t, directory, env);
      first.process.kill('SIGKILL');
      await once(first.process, 'close');
      assert.deepEqual((await started(t, directory, env)).lines, ['locked']);
    });
  });
}

it('a process without flock respects one that has it', async (t) => {
  const directory = temporaryDirectory(t);
  await started(t, directory, {});
  assert.equal(await (await started(t, directory, { PATH: '' })).ended, 78);
});

describe('a start that waits for the lock', () => {
  const waiting = (directory: string, timeoutMs: number) => {
    const asked: (number | undefined)[] = [];
    const abort = new AbortController();
    const beganMs = performance.now();
    const lock = awaitSpoolLock(directory, {
      timeoutMs,
      signal: abort.signal,
      onWait: (pid) => asked.push(pid),
    });
    lock.catch(() => undefined);
    return { lock, asked, abort, ms: () => performance.now() - beganMs };
  };

  it('gets it as soon as the process that has it ends, and says once for whom it waits', async (t) => {
    const directory = temporaryDirectory(t);
    const holder = await started(t, directory, {});
    const { lock, asked, ms } = waiting(directory, 60_000);
    await waitFor('two more tries', () => ms() > 250);
    assert.deepEqual(asked, [holder.process.pid]);
    holder.process.kill('SIGKILL');
    (await lock).release();
    assert.ok(ms() < 10_000, `${ms()} ms`);
    assert.equal(asked.length, 1);
  });

  it('does not wait for nobody, and gives up in time with the error of a lock that is taken', async (t) => {
    const directory = temporaryDirectory(t);
    const free = waiting(directory, 60_000);
    (await free.lock).release();
    assert.deepEqual(free.asked, []);
    await started(t, directory, {});
    const late = waiting(directory, 300);
    await assert.rejects(late.lock, (error) => error instanceof SpoolLockedError && error.exitCode === 78);
    assert.ok(late.ms() >= 300 && late.ms() < 5000, `${late.ms()} ms`);
    const atOnce = waiting(directory, 0);
    await assert.rejects(atOnce.lock, SpoolLockedError);
    assert.deepEqual(atOnce.asked, []);
  });

  it('ends at once when the gateway is told to stop', async (t) => {
    const directory = temporaryDirectory(t);
    await started(t, directory, {});
    const { lock, asked, abort } = waiting(directory, 60_000);
    await waitFor('it waits', () => asked.length === 1);
    abort.abort();
    await assert.rejects(lock, { name: 'AbortError' });
  });
});

describe('a spool', () => {
  const options = (directory: string) =>
    ({
      directory,
      topic: 'metrics',
      maxBytes: 10_000,
      segmentBytes: 2 ** 20,
      sync: 'os',
      partitions: 4,
    }) as const;

  it('tells who has its directory', async (t) => {
    const directory = temporaryDirectory(t);
    const { spool } = await Spool.open(options(directory));
    await assert.rejects(
      Spool.open(options(directory)),
      (error) => error instanceof SpoolLockedError && error.message.includes(`pid ${process.pid}`),
    );
    await spool.close();
    await (await Spool.open(options(directory))).spool.close();
  });

  it('shares its cap among partitions and reports what it found, whatever else lies there', async (t) => {
    const directory = temporaryDirectory(t);
    const first = await Spool.open(options(directory));
    const [log0, log3] = [await first.spool.log(0), await first.spool.log(3)];
    await log0.append([await makeBatch('a', 2, 3000)]);
    await assert.rejects(log3.append([await makeBatch('b', 2, 3000)]), { code: 'SPOOL_FULL' });
    await log3.append([await makeBatch('b', 1, 3000)]);
    assert.equal(first.spool.bytes, log0.bytes + log3.bytes);
    const held = first.spool.bytes;
    await first.spool.close();

    for (const name of ['metrics-other-0', 'metrics-x', 'metrics-007', 'metrics-99999999999', 'other-1']) {
      mkdirSync(join(directory, name));
    }
    writeFileSync(join(directory, 'metrics-1'), 'a file');
    writeFileSync(join(directory, 'metrics.layout'), '{"partit');
    const { spool, report } = await Spool.open(options(directory));
    assert.deepEqual(report, {
      partitions: 2,
      records: 3,
      bytes: held,
      cutBytes: 0,
      badBatches: 0,
      badRecords: 0,
    });
    assert.deepEqual(
      spool.pending.map(({ partition }) => partition),
      [0, 3],
    );
    const freed = spool.freed(new AbortController().signal);
    await (await spool.log(0)).acknowledge(2);
    await freed;
    assert.ok(spool.bytes < held);
    assert.equal(spool.records, 1);
    await spool.close();
  });
});
