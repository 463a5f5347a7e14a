import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { PartitionSpool } from '../../src/spool/partition-spool.ts';
import { waitFor } from '../support/wait.ts';
import { drain, idsFrom, makeBatch, openLog, temporaryDirectory, upTo } from './support.ts';

interface Item {
  readonly id: string;
  readonly bytes: Buffer;
}

async function partitionSpool(t: TestContext, { maxBytes }: { maxBytes?: number } = {}) {
  // The cap stands for any error of the disk.
  const state = { full: false, maxWrite: Infinity };
  const { log } = await openLog(temporaryDirectory(t), {
    sync: 'batch',
    ...(maxBytes === undefined
      ? { hasRoom: (bytes: number) => !state.full && bytes <= state.maxWrite }
      : { maxBytes }),
  });
  const abort = new AbortController();
  const groups: string[][] = [];
  const troubles: (string | null)[] = [];
  const spool = new PartitionSpool<Item>(
    log,
    {
      durable: (batches) => groups.push(batches.map(({ id }) => id)),
      trouble: (trouble) => troubles.push(trouble?.reason ?? null),
    },
    abort.signal,
  );
  t.after(async () => {
    abort.abort();
    await log.close();
  });
  const add = async (id: string, bytes = 0) => spool.add({ id, bytes: await makeBatch(id, 1, bytes) });
  return { log, spool, groups, troubles, abort, state, add };
}

describe('the writes of a partition', () => {
  it('collect batches during a sync and write them with the next one, in order', async (t) => {
    const { log, spool, groups } = await partitionSpool(t);
    const ids = upTo(1000).map(String);
    const items = await Promise.all(ids.map(async (id) => ({ id, bytes: await makeBatch(id) })));
    for (const item of items) spool.add(item);
    assert.equal(spool.waiting, 1000);
    await waitFor('all to be durable', () => spool.waiting === 0);
    assert.ok(groups.length <= 3, `${groups.length} syncs`);
    assert.deepEqual(groups.flat(), ids);
    assert.deepEqual(await idsFrom(log), ids);
  });

  it('have at most 4 MiB in one sync, except for a single larger batch', async (t) => {
    const { spool, groups } = await partitionSpool(t);
    const sizes = [5e6, 3e6, 2e6, 1e6, 5e6];
    const batches = await Promise.all(sizes.map((bytes, n) => makeBatch(n, 1, bytes)));
    for (const [n, bytes] of batches.entries()) spool.add({ id: `${n}`, bytes });
    await waitFor('all to be durable', () => spool.waiting === 0);
    assert.deepEqual(groups, [['0'], ['1'], ['2', '3'], ['4']]);
  });

  it('have no more in one sync than the cap has room for, so the limit is told only when a batch does not fit', async (t) => {
    const { groups, troubles, add, spool } = await partitionSpool(t, { maxBytes: 10_000 });
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await add(id, 3000);
    await waitFor('the limit', () => troubles.length > 0);
    assert.deepEqual(groups.flat(), ['a', 'b', 'c']);
    assert.deepEqual(troubles, ['SPOOL_MAX_BYTES is reached']);
    assert.equal(spool.waiting, 3);
  });

  it('go batch by batch if there is no room for the whole group', async (t) => {
    const { groups, state, add, spool } = await partitionSpool(t);
    state.full = true;
    for (const id of ['a', 'b', 'c']) await add(id, 1000);
    state.full = false;
    state.maxWrite = 2000;
    await waitFor('all to be durable', () => spool.waiting === 0);
    assert.deepEqual(groups.flat(), ['a', 'b', 'c']);
  });

  it('are retried in order after a failure, and its beginning and end are reported', async (t) => {
    const { log, groups, troubles, state, add, spool } = await partitionSpool(t);
    state.full = true;
    await add('a');
    await waitFor('a refusal', () => troubles.length === 1);
    await add('b');
    state.full = false;
    await waitFor('all to be durable', () => spool.waiting === 0);
    assert.deepEqual(groups.flat(), ['a', 'b']);
    assert.deepEqual(troubles, ['SPOOL_MAX_BYTES is reached', null]);
    assert.deepEqual(await drain(log), ['a', 'b']);
  });

  it('can be taken back while nothing is being written, which ends the trouble', async (t) => {
    const { log, spool, groups, troubles, state, add } = await partitionSpool(t);
    await add('first');
    await waitFor('the first to be durable', () => groups.length === 1);
    state.full = true;
    await add('a');
    await waitFor('a refusal', () => troubles.length === 1);
    await add('b');
    const taken = spool.takeBack().map(({ id }) => id);
    assert.deepEqual(taken, ['a', 'b']);
    assert.equal(spool.waiting, 0);
    await waitFor('the trouble to be over', () => troubles.at(-1) === null);
    state.full = false;
    await add('c');
    await waitFor('the last to be durable', () => groups.length === 2);
    assert.deepEqual(await drain(log), ['first', 'c']);
  });

  it('cannot be taken back while a group is being written', async (t) => {
    const { spool, groups, add } = await partitionSpool(t);
    await add('a', 100_000);
    assert.deepEqual(spool.takeBack(), []);
    await waitFor('it to be durable', () => groups.length === 1);
  });

  it('end at once on abort, although the disk fails', async (t) => {
    const { groups, troubles, abort, state, add } = await partitionSpool(t);
    state.full = true;
    await add('a');
    await waitFor('a refusal', () => troubles.length === 1);
    const from = performance.now();
    abort.abort();
    await waitFor('the end', () => troubles.at(-1) === null);
    assert.ok(performance.now() - from < 200);
    assert.deepEqual(groups, []);
  });
});
