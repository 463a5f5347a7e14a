import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { awaitSpoolLock, lockSpool, SpoolLockedError } from '../../src/spool/lock.ts';
import { SpoolCap } from '../../src/spool/spool-cap.ts';
import { runProgram } from '../support/program.ts';
import { canTrace } from '../support/trace.ts';
import { waitFor } from '../support/wait.ts';
import { type Child, makeBatch, openSpool, startChild, temporaryDirectory } from './support.ts';

const started = async (t: TestContext, directory: string, env: Record<string, string>): Promise<Child> => {
  const child = startChild(t, ['lock', directory], { env });
  await Promise.race([child.line('locked'), child.line('refused')]).catch(() => undefined);
  return child;
};

// The lock is the kernel's, so it needs no program.
for (const [how, env] of [
  ['', {}],
  [' without any program in PATH', { PATH: '' }],
] as const) {
  describe(`a spool directory${how}`, () => {
    it('is refused to a second process, with exit code 78', async (t) => {
      const directory = temporaryDirectory(t);
      const first = await started(t, directory, env);
      assert.deepEqual(first.lines, ['locked']);
      const second = await started(t, directory, env);
      assert.match(second.lines.join(), /^refused SPOOL_LOCKED /);
      assert.equal(await second.ended, 78);
      // The failure of the second process leaves the first one's lock as it is.
      assert.equal(await (await started(t, directory, env)).ended, 78);
    });

    it('is free as soon as its process is killed', async (t) => {
      const directory = temporaryDirectory(t);
      const first = await started(t, directory, env);
      first.process.kill('SIGKILL');
      await once(first.process, 'close');
      assert.deepEqual((await started(t, directory, env)).lines, ['locked']);
    });
  });
}

describe('without the kernel’s locks a spool directory is refused, with exit code 78', () => {
  const refusal = async (t: TestContext, options: Parameters<typeof startChild>[2]): Promise<string> => {
    const directory = temporaryDirectory(t);
    // The text that an older version left there decides nothing.
    writeFileSync(join(directory, 'lock'), '');
    const child = startChild(t, ['lock', directory], options);
    assert.equal(await child.ended, 78, child.lines.join());
    return child.lines.join();
  };

  it('if the package that takes them cannot be loaded', async (t) => {
    const hook = join(temporaryDirectory(t), 'hook.cjs');
    writeFileSync(
      hook,
      `const Module = require('node:module');
       const find = Module._resolveFilename;
       Module._resolveFilename = (name, ...rest) => find(name === 'koffi' ? 'koffi-is-missing' : name, ...rest);`,
    );
    const line = await refusal(t, { env: { NODE_OPTIONS: `--require ${hook}` } });
    assert.match(
      line,
      /^refused NO_FLOCK .*the package koffi.* cannot be used on \w+-\w+: Cannot find .*--omit=optional/,
    );
    // The doctor says it before a start does, also if nothing is there yet.
    const env = { NODE_OPTIONS: `--require ${hook}`, SPOOL_DIR: join(temporaryDirectory(t), 'spool') };
    const { out } = await runProgram('src/main.js', ['check'], { env: { ...env, KAFKA_BROKERS: '' } });
    assert.match(out, /error +SPOOL_DIR=\S+ cannot be used: the package koffi/);
  });

  it('if the file system has none', async (t) => {
    if (!canTrace(t)) return;
    for (const code of ['ENOLCK', 'EOPNOTSUPP']) {
      const strace = [
        'strace',
        '-f',
        '-o',
        '/dev/null',
        '-e',
        'trace=flock',
        '-e',
        `inject=flock:error=${code}`,
      ];
      const line = await refusal(t, { before: strace });
      assert.match(
        line,
        new RegExp(`^refused ${code === 'EOPNOTSUPP' ? 'E(?:OP)?NOTSUP' : code}.* has no locks`),
      );
    }
  });

  it('but a call that a signal interrupts is repeated', async (t) => {
    if (!canTrace(t)) return;
    const inject = 'inject=flock:error=EINTR:when=1..3';
    const child = startChild(t, ['lock', temporaryDirectory(t)], {
      before: ['strace', '-f', '-o', '/dev/null', '-e', 'trace=flock', '-e', inject],
    });
    await child.line('locked');
  });
});

describe('the directory of an empty spool', () => {
  const withLog = (directory: string, files: Readonly<Record<string, string>>): void => {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(directory, path, '..'), { recursive: true });
      writeFileSync(join(directory, path), content);
    }
  };
  const remains = {
    format: '{"version":2}',
    'a.layout': '{"partitions":4}',
    'a.layout.new': '',
    'a.placing.new': '',
    'a-0/cursor': '',
    'a~unplaced/cursor': '',
    'b~gone-2/cursor': '',
    '~old-1/a-1/00000000000000000000.log': 'put aside by an upgrade',
  };

  it('is deleted under the lock, with the lock, and can be made again', async (t) => {
    const directory = join(temporaryDirectory(t), 'process-1');
    const lock = lockSpool(directory);
    withLog(directory, remains);
    assert.equal(await lock.removeDirectory(), true);
    assert.equal(existsSync(directory), false);
    const again = lockSpool(directory);
    // Releasing the lock of the deleted directory does not affect the new one.
    lock.release();
    assert.equal(await lock.removeDirectory(), false);
    assert.equal(await (await started(t, directory, {})).ended, 78);
    again.release();
  });

  for (const [what, path] of Object.entries({
    'a segment': 'a-0/00000000000000000000.log',
    'damage that was set aside': 'a-0/00000000000000000000.log.12.bad',
    'the plan of a copy': 'a.placing',
    'the dead letters': 'dead-letters/lock',
    'a foreign folder': 'a-02/cursor',
    'a foreign file': 'notes.txt',
  })) {
    it(`stays whole and locked if it holds ${what}`, async (t) => {
      const directory = temporaryDirectory(t);
      const lock = lockSpool(directory);
      withLog(directory, { ...remains, [path]: 'something' });
      assert.equal(await lock.removeDirectory(), false);
      for (const name of [...Object.keys(remains), path, 'lock'])
        assert.ok(existsSync(join(directory, name)), name);
      assert.equal(await (await started(t, directory, {})).ended, 78);
      lock.release();
    });
  }

  it('is never deleted under a process that has just opened it', async (t) => {
    const directory = join(temporaryDirectory(t), 'process-1');
    // Enough for hundreds of collisions. A wrong one makes a child fail. Each goes on until both have done their share,
    // so that they work beside each other however late one of them starts.
    const remover = startChild(t, ['remove', directory, '50']);
    const writer = startChild(t, ['write', directory, '150']);
    await Promise.all([remover.line('done'), writer.line('done')]);
    for (const { process, ended } of [remover, writer]) {
      process.stdin?.end();
      assert.equal(await ended, 0);
    }
  });
});

describe('a start that waits for the lock', () => {
  const waiting = (directory: string, timeoutMs: number) => {
    const asked: (number | undefined)[] = [];
    const abort = new AbortController();
    const beganMs = performance.now();
    const { signal } = abort;
    const lock = awaitSpoolLock(directory, {
      timeoutMs,
      signal,
      onWait: ({ owner }) => void asked.push(owner?.pid),
    });
    lock.catch(() => undefined);
    return { lock, asked, abort, ms: () => performance.now() - beganMs };
  };

  it('gets it as soon as its owner ends, and reports the owner once', async (t) => {
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

  it('does not wait for a free lock, and gives up in time with SPOOL_LOCKED', async (t) => {
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

  it('ends at once if the gateway must stop', async (t) => {
    const directory = temporaryDirectory(t);
    await started(t, directory, {});
    const { lock, asked, abort } = waiting(directory, 60_000);
    await waitFor('it waits', () => asked.length === 1);
    abort.abort();
    await assert.rejects(lock, { name: 'AbortError' });
  });
});

describe('a spool', () => {
  it('reports the owner of its directory', async (t) => {
    const directory = temporaryDirectory(t);
    const { spool } = await openSpool(t, { directory });
    await assert.rejects(
      openSpool(t, { directory }),
      (error) => error instanceof SpoolLockedError && error.message.includes(`pid ${process.pid}`),
    );
    await spool.close();
    await openSpool(t, { directory });
  });

  it('shares its cap among topics and partitions, reports what it found and ignores foreign files', async (t) => {
    const directory = temporaryDirectory(t);
    const options = { directory, cap: new SpoolCap(10_000) };
    const first = await openSpool(t, options);
    const metrics = await first.spool.topic('metrics');
    const other = await first.spool.topic('other');
    const logs = [await metrics.log(0), await metrics.log(3), await other.log(0)] as const;
    await logs[0].append([await makeBatch('a', 2, 2000)]);
    for (const log of logs.slice(1)) {
      await assert.rejects(log.append([await makeBatch('b', 3, 2000)]), { code: 'SPOOL_FULL' });
      await log.append([await makeBatch('b', 1, 2000)]);
    }
    const held = first.spool.bytes;
    assert.equal(
      held,
      logs.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    await first.spool.close();

    for (const name of ['metrics-x', 'metrics-007', 'metrics-99999999999', 'metrics~lost']) {
      mkdirSync(join(directory, name));
    }
    writeFileSync(join(directory, 'metrics-1'), 'a file');
    writeFileSync(join(directory, 'metrics.layout'), '{"partit');
    writeFileSync(join(directory, 'metrics.placing'), 'half a pl');
    const { spool, report } = await openSpool(t, options);
    const nothingBad = { cutBytes: 0, badBatches: 0, badRecords: 0 };
    assert.deepEqual(report, { logs: 3, records: 4, bytes: held, ...nothingBad });
    const found = spool.topics.map(({ topic, pending, partitionCount }) => ({
      topic,
      partitions: pending.map(({ partition }) => partition),
      partitionCount,
    }));
    assert.deepEqual(found, [
      { topic: 'metrics', partitions: [0, 3], partitionCount: undefined },
      { topic: 'other', partitions: [0], partitionCount: undefined },
    ]);
    // A cap that was full at the start gets room for any bytes that are deleted, of any topic.
    const log = await (await spool.topic('metrics')).log(0);
    const late = await (await spool.topic('other')).log(7);
    await assert.rejects(late.append([await makeBatch('c', 2, 2000)]), { code: 'SPOOL_FULL' });
    await log.acknowledge(2);
    assert.ok(spool.bytes < held);
    assert.equal(spool.records, 2);
    await late.append([await makeBatch('c', 2, 2000)]);
    await spool.close();
  });
});
