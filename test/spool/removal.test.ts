// Removal of topics without records, and of empty orphaned parts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Spool } from '../../src/spool/spool.ts';
import { SpoolCap } from '../../src/spool/spool-cap.ts';
import { makeBatch, openSpool, temporaryDirectory } from './support.ts';

const open = async (t: TestContext, directory: string, cap = new SpoolCap(2 ** 24)): Promise<Spool> =>
  (await openSpool(t, { directory, cap, segmentBytes: 2 ** 16, partitions: 2 })).spool;

/** A topic with partition logs, an unplaced log and a number of partitions. */
async function fill(spool: Spool, name: string): Promise<void> {
  const topic = await spool.topic(name);
  for (const log of [await topic.log(0), await topic.log(1), await topic.unplaced()])
    await log.append([await makeBatch(log.name, 3)]);
  await topic.markGone(1);
  await topic.setPartitionCount(1);
}

async function acknowledge(spool: Spool, name: string): Promise<void> {
  const topic = await spool.topic(name);
  for (const log of [...topic.sources, ...topic.pending.map(({ log }) => log)])
    await log.acknowledge(log.nextOffset);
}

const namesIn = (directory: string) => readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();

test('a topic without records leaves nothing behind, and other topics stay', async (t) => {
  const directory = temporaryDirectory(t);
  const cap = new SpoolCap(2 ** 24);
  const spool = await open(t, directory, cap);
  await fill(spool, 'former');
  await fill(spool, 'current');
  const [former, current] = [await spool.topic('former'), await spool.topic('current')];
  await acknowledge(spool, 'former');
  assert.equal(former.records, 0);
  assert.equal(await spool.removeTopic(former), true);
  const left = namesIn(directory).filter((name) => name.includes('former'));
  assert.deepEqual(left, []);
  assert.deepEqual(spool.topics, [current]);
  assert.deepEqual([current.records, cap.bytes], [9, current.bytes]);
  await spool.close();
  assert.equal(cap.bytes, 0);
  const next = await open(t, directory);
  const found = next.topics.map(({ topic, records }) => [topic, records]);
  assert.deepEqual(found, [['current', 9]]);
});

test('a topic whose removal a crash interrupted has no records at the next start, and is then removed', async (t) => {
  const whole = temporaryDirectory(t);
  const paths = async (directory: string) => {
    const spool = await open(t, directory);
    await fill(spool, 'former');
    await acknowledge(spool, 'former');
    await spool.close();
    // In the order of the removal: the number of partitions, then the content of each folder and the folder.
    const names = namesIn(directory).filter((name) => name.includes('former'));
    return names.sort((a, b) => rank(a) - rank(b) || (a < b ? 1 : -1));
  };
  const rank = (name: string) => (name.endsWith('.layout') ? 0 : 1);
  const count = (await paths(whole)).length;
  assert.equal(count, 7);
  for (let removed = 0; removed <= count; removed++) {
    const directory = temporaryDirectory(t);
    for (const name of (await paths(directory)).slice(0, removed))
      rmSync(join(directory, name), { recursive: true });
    const spool = await open(t, directory);
    for (const topic of spool.topics) {
      assert.equal(topic.records, 0, `${removed} names removed`);
      assert.equal(await spool.removeTopic(topic), true);
    }
    assert.deepEqual(namesIn(directory), ['format', 'lock'], `${removed} names removed`);
  }
});

test('a topic with records or with bytes that were set aside keeps them', async (t) => {
  const directory = temporaryDirectory(t);
  const spool = await open(t, directory);
  await fill(spool, 'former');
  await acknowledge(spool, 'former');
  const damaged = join(directory, 'former-0', 'damaged.bad');
  writeFileSync(damaged, 'bytes');
  assert.equal(await spool.remove(), false);
  assert.ok(existsSync(damaged));
  await spool.close();

  const again = await open(t, directory);
  await fill(again, 'former');
  assert.equal(await again.remove(), false);
  assert.equal((await again.topic('former')).records, 9);
});

test('an empty part is removed while its lock is held', async (t) => {
  const directory = join(temporaryDirectory(t), 'process-1');
  const cap = new SpoolCap(2 ** 24);
  const spool = await open(t, directory, cap);
  await fill(spool, 'former');
  await acknowledge(spool, 'former');
  // A topic that was never on disk, with only its number of partitions.
  await (await spool.topic('other')).setPartitionCount(3);
  await spool.close();

  const next = await open(t, directory, cap);
  const lock = openSync(join(directory, 'lock'), 'r');
  const isFree = () =>
    spawnSync('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', lock] }).status === 0;
  assert.equal(isFree(), false);
  const removed = next.remove();
  while (!isFree()) await turn();
  assert.equal(existsSync(directory), false);
  assert.equal(await removed, true);
  assert.deepEqual([readdirSync(dirname(directory)), cap.bytes], [[], 0]);
});
