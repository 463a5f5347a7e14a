// `stored` comes after durability: checked by the order of a process's system calls, and after a power cut.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { skipLoudly } from '../support/missing-tool.ts';
import { waitFor } from '../support/wait.ts';
import {
  drain,
  drainIn,
  hasStrace,
  mount,
  openLog,
  startChild,
  subdirectory,
  temporaryDirectory,
  unmount,
} from './support.ts';

interface Traced {
  /** For each `stored`: batches written and synced by then, minus batches confirmed by then. */
  readonly margins: number[];
  readonly syncs: number;
}

/** Parses a trace of `strace -f -y`. A sync covers writes before its start and counts from its end on. */
function readTrace(text: string, batchBytes: number): Traced {
  let written = 0;
  let durable = 0;
  let stored = 0;
  let syncs = 0;
  const margins: number[] = [];
  const begun = new Map<string, { call: string; written: number }>();
  for (const line of text.split('\n')) {
    const [, pid = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const ofSegment = /^(pwrite64|pwritev|fdatasync)\(\d+<[^>]*\.log>/.exec(rest);
    const resumed = /^<\.\.\. (\w+) resumed>/.exec(rest);
    if (/^write\(1<[^>]*>, "stored /.test(rest)) {
      stored++;
      margins.push(durable / batchBytes - stored);
    }
    if (ofSegment) begun.set(pid, { call: ofSegment[1] as string, written });
    if ((!ofSegment && !resumed) || rest.endsWith('<unfinished ...>')) continue;
    const call = begun.get(pid);
    begun.delete(pid);
    const answer = Number(/= (-?\d+)/.exec(rest)?.[1]);
    if (call === undefined || !(answer >= 0)) continue;
    if (call.call !== 'fdatasync') {
      written += answer;
    } else {
      durable = Math.max(durable, call.written);
      syncs++;
    }
  }
  return { margins, syncs };
}

describe('a trace of system calls', () => {
  for (const [job, count, how] of [
    ['append', 50, 'one sync for each append'],
    ['group', 1000, 'one sync for many batches'],
  ] as const) {
    it(`has no stored before the sync of its bytes, with ${how}`, { timeout: 60_000 }, async (t) => {
      if (!hasStrace(t)) return;
      const directory = temporaryDirectory(t);
      const trace = join(directory, 'trace');
      const calls = 'trace=pwrite64,pwritev,fdatasync,write';
      const child = startChild(t, [job, join(directory, 'log'), `${count}`], {
        before: ['strace', '-f', '-y', '-s', '16', '-o', trace, '-e', calls],
      });
      assert.equal(await child.ended, 0);
      const { log } = await openLog(join(directory, 'log'));
      const { margins, syncs } = readTrace(readFileSync(trace, 'latin1'), log.bytes / count);
      assert.equal(margins.length, count);
      assert.ok(Math.min(...margins) >= 0, 'stored was printed too early');
      if (job === 'append') assert.equal(syncs, count);
      else assert.ok(syncs < count / 10, `${syncs} syncs for ${count} batches`);
      assert.equal((await drain(log)).length, count);
      await log.close();
    });
  }
});

describe('a power cut', () => {
  it('loses no batch that was confirmed before it', { timeout: 60_000 }, async (t) => {
    const directory = temporaryDirectory(t);
    const image = join(directory, 'disk');
    const made =
      spawnSync('truncate', ['-s', '64M', image]).status === 0 &&
      spawnSync('mkfs.ext4', ['-q', image]).status === 0;
    if (!made) return skipLoudly(t, 'mkfs.ext4 is missing');
    const disk = mount(t, ['-o', 'loop', image]);
    if (disk === undefined) return;
    const child = startChild(t, ['append', join(subdirectory(disk, 'spool'), 'log'), '1000000', '300']);
    const storedCount = () => child.lines.filter((line) => line.startsWith('stored')).length;
    const cuts: { image: string; stored: number }[] = [];
    for (let cut = 0; cut < 4; cut++) {
      await waitFor('more to be stored', () => storedCount() >= cut * 700 + 100);
      // Only the copying is atomic. Writes that were not synced are not in the image.
      child.process.kill('SIGSTOP');
      const stored = storedCount();
      const copy = join(directory, `cut-${cut}`);
      copyFileSync(image, copy);
      cuts.push({ image: copy, stored });
      child.process.kill('SIGCONT');
    }
    child.process.kill('SIGKILL');
    await once(child.process, 'close');
    unmount(disk);
    for (const { image: copy, stored } of cuts) {
      const after = mount(t, ['-o', 'loop', copy]);
      assert.ok(after !== undefined);
      const { ids, recovered } = await drainIn(join(after, 'spool', 'log'));
      unmount(after);
      console.error(
        `power cut: ${stored} batches confirmed, ${ids.length} recovered, ${recovered.cutBytes} bytes cut, ${recovered.badBatches} places bad`,
      );
      assert.ok(ids.length >= stored, `${stored} were confirmed, ${ids.length} came back`);
      const expected = ids.map((_, n) => String(n).padStart(6, '0'));
      assert.deepEqual(ids, expected);
    }
  });
});
