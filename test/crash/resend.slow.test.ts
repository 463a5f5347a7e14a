// Every crash point of `sluice dead resend`: a run is started on every state that a crash may leave at any moment of an
// earlier one. Each letter must have been sent once, and a record that Kafka refuses must be a letter again.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DiskModel } from '../../simulation/disk/disk-model.ts';
import { createCodec } from '../../src/kafka/batches/compression.ts';
import { encodeBody } from '../../src/kafka/batches/record-body.ts';
import { Outbox, type TakenLetter } from '../../src/letters/outbox.ts';
import { silent } from '../kafka/delivery/fakes.ts';
import { statesOf, withoutSync } from './explore.ts';
import { FsJournal } from './fs-journal.ts';
import { ModelCluster } from './model-cluster.ts';
import { ANSWER_LOST, idIn, isLock, LETTERS, READINGS, settingsFor, TAKEN } from './scene.ts';
import { treeKey, writeTree } from './trees.ts';

const IN_MEMORY = '/dev/shm';
const PARALLEL = 64;
const COUNT = 7;
const CHUNK = 3;
/** Kafka refuses it each time. */
const AT_FAULT = 4;
const LOG = { cluster: 'model', topic: LETTERS, partition: 0 };

const ALL: readonly TakenLetter[] = Array.from({ length: COUNT }, (_, id) => {
  const body = encodeBody(Buffer.from(`{"id":${id}}`), {}, Buffer.from(`key-${id % 3}`));
  return { log: LOG, offset: id, body, topic: READINGS, records: [{ timestampMs: 1, body }] };
});

/** Sends every letter that was not sent, as the command does it. */
async function run(directory: string, cluster: ModelCluster): Promise<void> {
  const settings = settingsFor(directory, { KAFKA_REQUEST_TIMEOUT: 1000 });
  const codec = createCodec('none');
  const outbox = await Outbox.open({ settings, codec, cluster: cluster.asKafkaClient(), log: silent });
  const until = { deadlineMs: performance.now() + 30_000, signal: new AbortController().signal };
  try {
    await outbox.send(until);
    for (let at = 0; at < ALL.length; at += CHUNK) {
      const chunk = ALL.slice(at, at + CHUNK).filter(({ offset }) => !outbox.sent.has(LOG, offset));
      if (chunk.length === 0) continue;
      await outbox.take(chunk);
      const { left, problem } = await outbox.send(until);
      if (left > 0) throw new Error(`${left} records are left: ${problem}`);
    }
  } finally {
    await outbox.close();
  }
}

function assertOnce(cluster: ModelCluster, where: string): void {
  const sent = cluster.arrivedIn(READINGS).map(({ value }) => idIn(value));
  const wanted = ALL.map(({ offset }) => offset).filter((id) => id !== AT_FAULT);
  assert.deepEqual([...sent].sort(), wanted, `${where}: ${sent.join(' ')}`);
  const refused = cluster.arrivedIn(LETTERS).map(({ value }) => idIn(value));
  assert.deepEqual([...new Set(refused)], [AT_FAULT], `${where}: the refused record is a letter again`);
}

test('a crash at any moment of a resend loses and doubles no letter', async (t) => {
  const restoreSync = await withoutSync();
  const root = mkdtempSync(join(existsSync(IN_MEMORY) ? IN_MEMORY : tmpdir(), 'sluice-resend-'));
  t.after(() => {
    restoreSync();
    rmSync(root, { recursive: true, force: true });
  });
  const directory = mkdtempSync(join(root, 'first-'));
  const disk = new DiskModel();
  const journal = FsJournal.record<ModelCluster>(directory, { disk, unread: isLock });
  const cluster = new ModelCluster();
  cluster.create(READINGS, 2);
  cluster.create(LETTERS, 1);
  cluster.check = (topic, { value }) => (topic === READINGS && idIn(value) === AT_FAULT ? 87 : 0);
  const mark = () => journal.mark(cluster.copy(), 'the cluster took records');
  cluster.onTaken = mark;
  // The answer to the first request is lost.
  let requests = 0;
  cluster.fate = (topic) => (topic === READINGS && requests++ === 0 ? ANSWER_LOST : TAKEN);
  mark();
  await run(directory, cluster);
  journal.stop();
  assertOnce(cluster, 'without a crash');

  const tried = new Set<string>();
  const starts: (() => Promise<void>)[] = [];
  let now = cluster;
  let clusterNumber = 0;
  for (const { states, change, text, index } of statesOf(journal.entries, disk)) {
    if (change.kind === 'mark') {
      now = change.mark;
      clusterNumber++;
    }
    for (const { tree, name } of states) {
      const key = `${clusterNumber} ${treeKey(tree, isLock)}`;
      if (tried.has(key)) continue;
      tried.add(key);
      const copy = now.copy();
      starts.push(async () => {
        const place = mkdtempSync(join(root, 'state-'));
        writeTree(place, tree);
        const where = `after ${index} (${text}), ${name}`;
        await run(place, copy).catch((error: unknown) => assert.fail(`${where}: ${(error as Error).stack}`));
        rmSync(place, { recursive: true, force: true });
        assertOnce(copy, where);
      });
    }
  }
  const { length } = starts;
  const work = async () => {
    for (let start = starts.pop(); start !== undefined; start = starts.pop()) await start();
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  t.diagnostic(`${journal.entries.length} changes, ${length} starts`);
  assert.ok(length >= 150, `only ${length} states`);
});
