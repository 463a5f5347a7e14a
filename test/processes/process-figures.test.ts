// When the first process asks a server process for its figures, and how long a reader waits for them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Figures } from '../../src/admin/snapshot.ts';
import { ProcessFigures } from '../../src/processes/process-figures.ts';

const figuresOf = (version: string) => ({ version }) as Figures;

function asked() {
  const requests: number[] = [];
  return { requests, figures: new ProcessFigures((request) => requests.push(request)) };
}

test('whoever reads in the beat of a poll shares its request, and gets its answer', async () => {
  const { requests, figures } = asked();
  figures.poll();
  const read = figures.read();
  assert.deepEqual(requests, [0]);
  figures.take(0, figuresOf('now'));
  assert.equal((await read)?.version, 'now');
});

test('whoever reads later asks again: an answer on its way may be older', async () => {
  const { requests, figures } = asked();
  figures.poll();
  await null;
  const read = figures.read();
  assert.deepEqual(requests, [0, 1]);
  figures.take(0, figuresOf('before'));
  const first = Promise.race([read, new Promise((resolve) => setImmediate(resolve, 'waits'))]);
  assert.equal(await first, 'waits');
  figures.take(1, figuresOf('now'));
  assert.equal((await read)?.version, 'now');
});

test('an answer to an earlier request is not that to the poll', async () => {
  const { figures } = asked();
  figures.take(0, figuresOf('old'));
  const early = figures.read();
  await null;
  figures.poll();
  const read = figures.read();
  figures.take(0, figuresOf('before'));
  await early;
  figures.take(1, figuresOf('now'));
  assert.equal((await read)?.version, 'now');
});

test('the next poll ends the wait of whoever shares one, and the process is late', async () => {
  const { figures } = asked();
  figures.poll();
  figures.take(0, figuresOf('known'));
  await null;
  figures.poll();
  const read = figures.read();
  await null;
  assert.ok(!figures.isLate);
  figures.poll();
  assert.equal((await read)?.version, 'known');
  assert.ok(figures.isLate);
  figures.take(2, figuresOf('back'));
  assert.ok(!figures.isLate);
});
