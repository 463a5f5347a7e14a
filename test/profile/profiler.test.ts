// Profiles of this very process, into files without a name.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ProfileKind } from '../../src/inspect/profile-question.ts';
import { Profiler } from '../../src/profile/profiler.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { waitFor } from '../support/wait.ts';

/** A file as the first process makes it, and a descriptor to read it. */
function fileIn(t: TestContext) {
  const directory = join(temporaryDirectory(t), 'private');
  mkdirSync(directory, { mode: 0o700 });
  const path = join(directory, 'profile');
  writeFileSync(path, '', { mode: 0o600, flag: 'wx' });
  return { directory, path, fd: openSync(path, 'r') };
}

async function profile(t: TestContext, kind: ProfileKind): Promise<{ text: string; bytes: number }> {
  const profiler = new Profiler();
  const { directory, path, fd } = fileIn(t);
  assert.deepEqual(await profiler.answer({ do: 'begin', kind, seconds: 1, path }), { state: 'running' });
  assert.ok(!existsSync(directory));
  const { path: other } = fileIn(t);
  assert.deepEqual(await profiler.answer({ do: 'begin', kind: 'cpu', seconds: 1, path: other }), {
    state: 'busy',
  });
  const done = await waitFor('the profile', async () => {
    busyWork();
    const answer = await profiler.answer({ do: 'look' });
    return answer.state !== 'running' && answer;
  });
  assert.equal(done.state, 'done');
  await profiler.answer({ do: 'end' });
  assert.deepEqual(await profiler.answer({ do: 'look' }), { state: 'none' });
  return { text: readFileSync(fd, 'utf8'), bytes: 'bytes' in done ? done.bytes : 0 };
}

function busyWork(): number {
  const until = performance.now() + 20;
  let sum = 0;
  while (performance.now() < until) sum += Math.sqrt(sum + 1);
  return sum;
}

test('a CPU profile names our functions, and its file has no name', async (t) => {
  const { text, bytes } = await profile(t, 'cpu');
  assert.equal(Buffer.byteLength(text), bytes);
  const { nodes, samples, timeDeltas } = JSON.parse(text) as {
    nodes: { callFrame: { functionName: string; url: string } }[];
    samples: number[];
    timeDeltas: number[];
  };
  assert.ok(nodes.some(({ callFrame }) => callFrame.functionName === 'busyWork'));
  assert.ok(samples.length > 100 && samples.length === timeDeltas.length);
});

test('a heap snapshot is one that Chrome DevTools reads', async (t) => {
  const { text, bytes } = await profile(t, 'heap');
  assert.equal(Buffer.byteLength(text), bytes);
  const { snapshot, nodes, strings } = JSON.parse(text) as {
    snapshot: { meta: { node_fields: string[] }; node_count: number };
    nodes: number[];
    strings: string[];
  };
  assert.equal(nodes.length, snapshot.node_count * snapshot.meta.node_fields.length);
  assert.ok(strings.includes('Profiler'));
});

test('a profile that nobody wants any more ends at once, and another one may begin', async (t) => {
  const profiler = new Profiler();
  const first = fileIn(t);
  await profiler.answer({ do: 'begin', kind: 'cpu', seconds: 60, path: first.path });
  await profiler.answer({ do: 'end' });
  await waitFor('the end', async () => (await profiler.answer({ do: 'look' })).state === 'none');
  const second = fileIn(t);
  assert.equal(
    (await profiler.answer({ do: 'begin', kind: 'cpu', seconds: 60, path: second.path })).state,
    'running',
  );
  await profiler.answer({ do: 'end' });
  await waitFor('the end', async () => (await profiler.answer({ do: 'look' })).state === 'none');
});

test('a file that cannot be opened is told, and another profile may begin', async () => {
  const profiler = new Profiler();
  const answer = await profiler.answer({ do: 'begin', kind: 'cpu', seconds: 1, path: '/proc/none/file' });
  assert.match(answer.state === 'failed' ? answer.reason : '', /^ENOENT/);
  assert.deepEqual(await profiler.answer({ do: 'look' }), { state: 'none' });
});
