// The logs of one topic: in which log a record counts while it is copied into others, and how a start treats a copy that a
// crash interrupted.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Chunk } from '../../src/spool/chunk-copy.ts';
import { Cursor } from '../../src/spool/cursor.ts';
import { PlanFile, readPlan } from '../../src/spool/placing-plan.ts';
import { SpoolCap } from '../../src/spool/spool-cap.ts';
import { SpoolLog } from '../../src/spool/spool-log.ts';
import type { TopicSpool } from '../../src/spool/topic-spool.ts';
import { flipBit, makeBatch, namesIn, openFilesIn, openSpool, temporaryDirectory } from './support.ts';

const PLAN = 'metrics.placing';
const LAYOUT = 'metrics.layout';
const SEGMENT = `${'0'.repeat(20)}.log`;

interface Options {
  readonly directory?: string;
  readonly maxBytes?: number;
}

/** The topic's spool. `close` also releases the directory's lock. */
async function open(t: TestContext, { directory = temporaryDirectory(t), maxBytes = 2 ** 24 }: Options = {}) {
  const { spool, report } = await openSpool(t, { directory, cap: new SpoolCap(maxBytes), partitions: 3 });
  return { directory, spool, topic: await spool.topic('metrics'), report, close: () => spool.close() };
}

/** A copy of the directory as a crash would leave it now. */
function copyOf(t: TestContext, directory: string): string {
  const copy = temporaryDirectory(t);
  cpSync(directory, copy, { recursive: true });
  return copy;
}

/** The names of all records that are not acknowledged. It acknowledges nothing. */
async function recordsOf(log: SpoolLog): Promise<string[]> {
  await log.rewind();
  const names: string[] = [];
  for (let batch = await log.next(); batch !== undefined; batch = await log.next()) {
    names.push(...namesIn(batch.bytes).slice(Math.max(0, log.acknowledged - batch.offset)));
  }
  await log.rewind();
  return names;
}

/** The records of each log by the name of its folder, without empty logs. */
async function contents(topic: TopicSpool): Promise<Record<string, string[]>> {
  const all: Record<string, string[]> = {};
  const logs = [...topic.pending.map(({ log }) => log), ...topic.sources];
  for (const log of logs) all[log.name] = await recordsOf(log);
  return all;
}

const sourcesOf = (topic: TopicSpool): string[] => topic.sources.map(({ name }) => name);

/** A topic with an old record in partition 0, and six records in the unplaced log, of which the chunk takes four. */
async function withChunk(t: TestContext, options: Options = {}) {
  const opened = await open(t, options);
  const { topic } = opened;
  await (await topic.log(0)).append([await makeBatch('old')]);
  const source = await topic.unplaced();
  for (const id of ['a', 'b', 'c']) await source.append([await makeBatch(id, 2)]);
  const chunk: Chunk = {
    source,
    to: 4,
    partitions: 3,
    batches: new Map([
      [0, [await makeBatch('a', 1), await makeBatch('b', 1)]],
      [2, [await makeBatch('A', 1), await makeBatch('B', 1)]],
    ]),
  };
  return { ...opened, source, chunk };
}

const BEFORE = {
  'metrics-0': ['old/0'],
  'metrics~unplaced': ['a/0', 'a/1', 'b/0', 'b/1', 'c/0', 'c/1'],
};
// In these tests 'A/0' and 'B/0' stand for a/1 and b/1, so that a copy differs from its original.
const AFTER = {
  'metrics-0': ['old/0', 'a/0', 'b/0'],
  'metrics-2': ['A/0', 'B/0'],
  'metrics~unplaced': ['c/0', 'c/1'],
};

/** Calls `happens` before each call of the method, with the call's number (from 1). If it throws, the call fails. */
function before<T extends object>(
  t: TestContext,
  prototype: T,
  method: keyof T & string,
  happens: (call: number) => void | Promise<void>,
): void {
  const original = prototype[method] as (...args: unknown[]) => Promise<unknown>;
  let calls = 0;
  t.mock.method(
    prototype,
    method as never,
    async function (this: T, ...args: unknown[]) {
      await happens(++calls);
      return original.apply(this, args);
    } as never,
  );
}

/** The directory in the middle of a copy: the plan and both copies exist, and the source has everything. */
async function inTheMiddle(t: TestContext, happens: (topic: TopicSpool) => Promise<void> = async () => {}) {
  const { topic, chunk, directory } = await withChunk(t);
  let crashed = '';
  before(t, SpoolLog.prototype, 'acknowledgeCopied', async () => {
    await happens(topic);
    crashed = copyOf(t, directory);
  });
  await topic.copy(chunk).run();
  t.mock.restoreAll();
  return { crashed, chunk };
}

describe('a copied chunk of records', () => {
  it('is at the end of the partitions’ logs, and no longer in the source', async (t) => {
    const { topic, chunk, spool } = await withChunk(t);
    await topic.copy(chunk).run();
    assert.deepEqual(await contents(topic), AFTER);
    assert.deepEqual([topic.records, spool.records], [7, 7]);
    assert.equal(spool.bytes, topic.bytes);
  });

  it('counts once in every turn: its copies become visible when the source no longer has it', async (t) => {
    const { topic, chunk } = await withChunk(t);
    const seen = new Set<number>();
    const copied = topic.copy(chunk).run();
    for (let isDone = false; !isDone; ) {
      seen.add(topic.records);
      isDone = await Promise.race([copied.then(() => true), turn(false)]);
    }
    seen.add(topic.records);
    assert.deepEqual([...seen], [7]);
  });

  it('is not read from a partition’s log before it is complete, while earlier batches can be sent', async (t) => {
    const { topic, chunk } = await withChunk(t);
    const log = await topic.log(0);
    let isChecked = false;
    // Partition 0 has its part, and partition 2 is next.
    before(t, SpoolLog.prototype, 'appendCopies', async (call) => {
      if (call < 2) return;
      assert.deepEqual([log.records, log.nextOffset], [1, 3]);
      const old = await log.next();
      assert.deepEqual(old && namesIn(old.bytes), ['old/0']);
      assert.equal(await log.peekAdjoining(1), undefined);
      assert.equal(await log.next(), undefined);
      assert.ok(log.isFullyRead);
      await log.acknowledge(1);
      assert.equal(log.records, 0);
      assert.deepEqual(topic.pending, []);
      isChecked = true;
    });
    await topic.copy(chunk).run();
    assert.ok(isChecked);
    assert.deepEqual(await contents(topic), { ...AFTER, 'metrics-0': ['a/0', 'b/0'] });
  });

  it('is not read early behind damage at the end of the log either', async (t) => {
    const { topic, chunk } = await withChunk(t);
    const log = await topic.log(0);
    let isChecked = false;
    before(t, SpoolLog.prototype, 'appendCopies', async (call) => {
      if (call < 2) return;
      flipBit(join(log.directory, SEGMENT), 70);
      assert.equal(await log.next(), undefined);
      assert.deepEqual([log.acknowledged, log.records, log.badRecords], [1, 0, 1]);
      isChecked = true;
    });
    await topic.copy(chunk).run();
    assert.ok(isChecked);
    assert.deepEqual((await contents(topic))['metrics-0'], ['a/0', 'b/0']);
  });

  it('may exceed the cap, but counts', async (t) => {
    const { topic, spool, chunk } = await withChunk(t, { maxBytes: 800 });
    const unplaced = await topic.unplaced();
    await assert.rejects(async () => {
      for (;;) await unplaced.append([await makeBatch('more')]);
    });
    await topic.copy(chunk).run();
    assert.ok(spool.bytes > 800, `${spool.bytes} bytes`);
    await assert.rejects((await topic.log(1)).append([await makeBatch('x')]), { code: 'SPOOL_FULL' });
  });

  for (const [what, prototype, method, failing] of [
    ['the plan cannot be written', PlanFile.prototype, 'write', 1],
    ['the first copy cannot be written', SpoolLog.prototype, 'appendCopies', 1],
    ['the second copy cannot be written', SpoolLog.prototype, 'appendCopies', 2],
    ['the source’s cursor cannot be written', Cursor.prototype, 'commit', 1],
  ] as const) {
    it(`stays in the source if ${what}, and the copy goes on once the disk works again`, async (t) => {
      const { topic, chunk, directory } = await withChunk(t);
      before(t, prototype as object, method as never, (call) => {
        if (call === failing) throw Object.assign(new Error('the disk fails'), { code: 'EIO' });
      });
      const copy = topic.copy(chunk);
      await assert.rejects(copy.run(), { code: 'EIO' });
      assert.deepEqual(await contents(topic), BEFORE);
      assert.equal(topic.records, 7);
      // After a crash now the copy is made from the beginning.
      const crashed = await open(t, { directory: copyOf(t, directory) });
      assert.deepEqual(await contents(crashed.topic), BEFORE);
      await copy.run();
      assert.deepEqual(await contents(topic), AFTER);
      const later = await open(t, { directory: copyOf(t, directory) });
      assert.deepEqual(await contents(later.topic), AFTER);
    });
  }

  it('counts once if a crash comes before or after any step of the copy', async (t) => {
    const { topic, chunk, directory } = await withChunk(t);
    const crashes: { readonly directory: string; readonly at: string }[] = [];
    const crash = (at: string) => crashes.push({ directory: copyOf(t, directory), at });
    before(t, PlanFile.prototype, 'write', () => void crash('before the plan'));
    before(t, SpoolLog.prototype, 'appendCopies', (call) => void crash(`before copy ${call}`));
    before(t, SpoolLog.prototype, 'acknowledgeCopied', () => void crash('before the cursor'));
    const { commit } = Cursor.prototype;
    t.mock.method(
      Cursor.prototype,
      'commit',
      async function (this: Cursor, ...args: Parameters<typeof commit>) {
        await commit.apply(this, args);
        crash('after the cursor');
      },
    );
    await topic.copy(chunk).run();
    crash('at the end');
    t.mock.restoreAll();
    assert.equal(crashes.length, 6);
    for (const { directory: left, at } of crashes) {
      const opened = await open(t, { directory: left });
      const isFinished = at.startsWith('a');
      assert.deepEqual(await contents(opened.topic), isFinished ? AFTER : BEFORE, at);
      assert.equal(opened.report.records, 7, at);
      assert.ok(!existsSync(join(left, PLAN)), at);
      if (!isFinished) await opened.topic.copy({ ...chunk, source: await opened.topic.unplaced() }).run();
      assert.deepEqual(await contents(opened.topic), AFTER, at);
    }
  });

  it('is cut off at the next start if a crash has torn its copies anywhere', async (t) => {
    const { crashed, chunk } = await inTheMiddle(t);
    const segment = (partition: number) => join(`metrics-${partition}`, SEGMENT);
    const whole = statSync(join(crashed, segment(0))).size;
    const oldBytes = (await makeBatch('old')).length;
    const endings: [string, number][] = [
      [segment(0), oldBytes],
      [segment(0), oldBytes + 1],
      [segment(0), (oldBytes + whole) / 2],
      [segment(0), whole - 1],
      [segment(2), 0],
      [segment(2), 1],
    ];
    for (const [file, bytes] of endings) {
      const torn = copyOf(t, crashed);
      truncateSync(join(torn, file), bytes);
      const opened = await open(t, { directory: torn });
      assert.deepEqual(await contents(opened.topic), BEFORE, `${file} of ${bytes} bytes`);
      await opened.topic.copy({ ...chunk, source: await opened.topic.unplaced() }).run();
      assert.deepEqual(await contents(opened.topic), AFTER);
    }
  });

  it('has its source synced before its plan', async (t) => {
    const { topic, chunk } = await withChunk(t);
    const steps: string[] = [];
    before(t, SpoolLog.prototype, 'syncUpTo', () => void steps.push('the source'));
    before(t, PlanFile.prototype, 'write', () => void steps.push('the plan'));
    await topic.copy(chunk).run();
    assert.deepEqual(steps, ['the source', 'the plan']);
  });

  it('is copied again after a crash even if the partition has drained its log meanwhile', async (t) => {
    const { crashed } = await inTheMiddle(t, async (topic) => (await topic.log(0)).acknowledge(1));
    const opened = await open(t, { directory: crashed });
    assert.deepEqual(await contents(opened.topic), { 'metrics~unplaced': BEFORE['metrics~unplaced'] });
    // New batches get the offsets of the batches that were cut off.
    await (await opened.topic.log(0)).append([await makeBatch('new')]);
    assert.deepEqual((await contents(opened.topic))['metrics-0'], ['new/0']);
    await opened.close();
    const later = await open(t, { directory: crashed });
    assert.deepEqual((await contents(later.topic))['metrics-0'], ['new/0']);
  });

  it('from a partly acknowledged batch is the rest of that batch', async (t) => {
    const { topic, chunk, source } = await withChunk(t);
    await topic.copy({ ...chunk, to: 1, batches: new Map([[0, [await makeBatch('a')]]]) }).run();
    assert.deepEqual(await contents(topic), {
      'metrics-0': ['old/0', 'a/0'],
      'metrics~unplaced': ['a/1', 'b/0', 'b/1', 'c/0', 'c/1'],
    });
    assert.equal(source.acknowledged, 1);
  });
});

describe('the plan of a copy', () => {
  it('has the offsets that are copied, and the ends of the partitions’ logs', async (t) => {
    const { crashed } = await inTheMiddle(t);
    assert.deepEqual(await readPlan(join(crashed, PLAN)), {
      source: 'metrics~unplaced',
      from: 0,
      to: 4,
      partitions: 3,
      targets: [
        [0, 1],
        [2, 0],
      ],
    });
    assert.equal(statSync(join(crashed, PLAN)).mode & 0o777, 0o600);
  });

  it('is ignored if it is torn or damaged', async (t) => {
    const { topic, chunk, directory } = await withChunk(t);
    let crashed = '';
    before(t, SpoolLog.prototype, 'appendCopies', (call) => {
      if (call === 1) crashed = copyOf(t, directory);
    });
    await topic.copy(chunk).run();
    t.mock.restoreAll();
    const whole = readFileSync(join(crashed, PLAN));
    const flipped = Buffer.from(whole);
    flipped[whole.length - 3] = (flipped[whole.length - 3] ?? 0) ^ 1;
    const torn = [...whole.keys()].map((end) => whole.subarray(0, end));
    for (const bytes of [flipped, Buffer.alloc(200), ...torn]) {
      writeFileSync(join(crashed, PLAN), bytes);
      assert.equal(await readPlan(join(crashed, PLAN)), undefined, `${bytes.length} bytes`);
    }
    writeFileSync(join(crashed, PLAN), whole.subarray(0, 20));
    const opened = await open(t, { directory: crashed });
    assert.deepEqual(await contents(opened.topic), BEFORE);
    assert.ok(!existsSync(join(crashed, PLAN)));
  });

  it('counts if the rest of a longer plan follows it', async (t) => {
    const path = join(temporaryDirectory(t), PLAN);
    const file = new PlanFile(path);
    const long = { source: 'a'.repeat(100), from: 0, to: 9, partitions: 3, targets: [[0, 1]] as const };
    const short = { source: 'b', from: 9, to: 10, partitions: 3, targets: [] };
    await file.write(long);
    await file.write(short);
    assert.deepEqual(await readPlan(path), short);
    await file.remove();
    assert.equal(await readPlan(path), undefined);
    await file.write(long);
    assert.deepEqual(await readPlan(path), long);
    await file.close();
  });

  for (const what of ['whose source is gone', 'whose source has nothing, and no cursor']) {
    it(`${what} cuts nothing off, because only the copies are left`, async (t) => {
      const { crashed } = await inTheMiddle(t);
      rmSync(join(crashed, 'metrics~unplaced'), { recursive: true });
      if (what.includes('nothing')) mkdirSync(join(crashed, 'metrics~unplaced'));
      const opened = await open(t, { directory: crashed });
      const { 'metrics-0': first, 'metrics-2': third } = AFTER;
      assert.deepEqual(await contents(opened.topic), { 'metrics-0': first, 'metrics-2': third });
    });
  }

  it('cuts nothing off if it was finished, whatever was written since', async (t) => {
    const { topic, chunk, directory, close } = await withChunk(t);
    await topic.copy(chunk).run();
    await (await topic.log(0)).append([await makeBatch('later')]);
    await (await topic.unplaced()).append([await makeBatch('last')]);
    await close();
    assert.ok(existsSync(join(directory, PLAN)));
    const opened = await open(t, { directory });
    assert.deepEqual(await contents(opened.topic), {
      'metrics-0': [...AFTER['metrics-0'], 'later/0'],
      'metrics-2': AFTER['metrics-2'],
      'metrics~unplaced': ['c/0', 'c/1', 'last/0'],
    });
  });

  it('is removed by a start, so that later batches are not taken for a part of that copy', async (t) => {
    const { crashed } = await inTheMiddle(t);
    const opened = await open(t, { directory: crashed });
    await (await opened.topic.log(2)).append([await makeBatch('new')]);
    await opened.close();
    const later = await open(t, { directory: crashed });
    assert.deepEqual(await contents(later.topic), { ...BEFORE, 'metrics-2': ['new/0'] });
  });

  it('is removed with the logs of gone partitions once every record is placed', async (t) => {
    const { topic, chunk, directory } = await withChunk(t);
    await topic.markGone(0);
    await topic.copy({ ...chunk, to: 6 }).run();
    const [gone] = topic.sources;
    assert.ok(gone);
    await topic.endPlacing();
    // A log with a record stays.
    const kept = readdirSync(directory).filter((name) => name.includes('gone'));
    assert.deepEqual(kept, ['metrics~gone-1']);
    await topic
      .copy({ source: gone, to: 1, partitions: 3, batches: new Map([[1, [await makeBatch('old')]]]) })
      .run();
    assert.ok(existsSync(join(directory, PLAN)));
    await topic.endPlacing();
    const names = readdirSync(directory).filter((name) => name.includes('gone') || name.includes('plac'));
    assert.deepEqual(names, ['metrics~unplaced']);
    assert.deepEqual(topic.sources, []);
  });
});

describe('the sources of records without a partition', () => {
  it('are the logs of gone partitions, the latest first, and then the unplaced log', async (t) => {
    const { topic, directory, close } = await open(t);
    for (const partition of [1, 2, 3]) {
      await (await topic.log(partition)).append([await makeBatch(`partition ${partition}`)]);
    }
    await (await topic.unplaced()).append([await makeBatch('unplaced')]);
    await topic.markGone(3);
    await topic.markGone(2);
    assert.deepEqual(sourcesOf(topic), ['metrics~gone-2', 'metrics~gone-1', 'metrics~unplaced']);
    const partitions = topic.pending.map(({ partition }) => partition);
    assert.deepEqual(partitions, [1]);
    await close();
    const opened = await open(t, { directory });
    // Sources of an earlier process come after the new sources, because their records are younger.
    await opened.topic.markGone(1);
    assert.deepEqual(await contents(opened.topic), {
      'metrics~gone-3': ['partition 1/0'],
      'metrics~gone-2': ['partition 2/0'],
      'metrics~gone-1': ['partition 3/0'],
      'metrics~unplaced': ['unplaced/0'],
    });
    const sources = ['metrics~gone-3', 'metrics~gone-2', 'metrics~gone-1', 'metrics~unplaced'];
    assert.deepEqual(sourcesOf(opened.topic), sources);
    assert.equal(opened.topic.records, 4);
  });

  it('do not include an empty log', async (t) => {
    const { topic } = await open(t);
    await topic.unplaced();
    const log = await topic.log(1);
    await log.append([await makeBatch('sent')]);
    await log.acknowledge(1);
    await topic.markGone(1);
    await topic.markGone(7);
    assert.deepEqual(topic.sources, []);
  });

  it('keep their cursor, and are read and written under their new name', async (t) => {
    const { topic, directory } = await open(t);
    const log = await topic.log(1);
    await log.append([await makeBatch('a', 2), await makeBatch('b', 2)]);
    await log.next();
    await log.acknowledge(2);
    await topic.markGone(1);
    assert.deepEqual(await contents(topic), { 'metrics~gone-1': ['b/0', 'b/1'] });
    const [gone] = topic.sources;
    assert.ok(gone);
    await gone.append([await makeBatch('c')]);
    assert.deepEqual(await contents(topic), { 'metrics~gone-1': ['b/0', 'b/1', 'c/0'] });
    const crashed = await open(t, { directory: copyOf(t, directory) });
    assert.deepEqual(await contents(crashed.topic), { 'metrics~gone-1': ['b/0', 'b/1', 'c/0'] });
    // The topic has grown again, and the partition begins empty.
    const next = await topic.log(1);
    assert.deepEqual([next.records, next.name], [0, 'metrics-1']);
    await next.append([await makeBatch('new')]);
    assert.deepEqual((await contents(topic))['metrics-1'], ['new/0']);
  });

  it('stay in the count of damage after they are removed', async (t) => {
    const { topic, directory, close } = await open(t);
    await (await topic.log(1)).append([await makeBatch('a', 3), await makeBatch('b')]);
    await topic.markGone(1);
    await close();
    const opened = await open(t, { directory });
    flipBit(join(directory, 'metrics~gone-1', SEGMENT), 70);
    const [gone] = opened.topic.sources;
    const found = await gone?.next();
    assert.deepEqual(found && namesIn(found.bytes), ['b/0']);
    assert.ok(gone);
    await opened.topic
      .copy({ source: gone, to: 4, partitions: 1, batches: new Map([[0, [await makeBatch('b')]]]) })
      .run();
    assert.deepEqual([opened.topic.badBatches, opened.topic.badRecords], [1, 3]);
    await opened.topic.endPlacing();
    assert.deepEqual([opened.topic.badBatches, opened.topic.badRecords], [1, 3]);
  });
});

describe('the stored number of partitions', () => {
  it('is the one that Kafka reported last, also for the next process', async (t) => {
    const { topic, directory, close } = await open(t);
    assert.equal(topic.partitionCount, undefined);
    await topic.setPartitionCount(3);
    await topic.setPartitionCount(5);
    assert.equal(topic.partitionCount, 5);
    assert.equal(statSync(join(directory, LAYOUT)).mode & 0o777, 0o600);
    await (await topic.log(4)).append([await makeBatch('a')]);
    await close();
    assert.equal((await open(t, { directory })).topic.partitionCount, 5);
  });

  it('is undefined if the file is damaged, missing or invalid', async (t) => {
    const { topic, directory, close } = await open(t);
    await topic.setPartitionCount(3);
    await (await topic.log(0)).append([await makeBatch('a')]);
    await close();
    const broken = ['', '{"partitions":', '{}', 'null', '7'];
    const invalid = ['0', '-3', '2.5'].map((number) => `{"partitions":${number}}`);
    for (const text of [...broken, ...invalid]) {
      writeFileSync(join(directory, LAYOUT), text);
      const opened = await open(t, { directory });
      assert.equal(opened.topic.partitionCount, undefined, text);
      await opened.close();
    }
    rmSync(join(directory, LAYOUT));
    assert.equal((await open(t, { directory })).topic.partitionCount, undefined);
  });

  it('is undefined while there are records of partitions beyond it', async (t) => {
    const { topic } = await open(t);
    await topic.setPartitionCount(3);
    const log = await topic.log(3);
    assert.equal(topic.partitionCount, 3);
    await log.append([await makeBatch('a')]);
    assert.equal(topic.partitionCount, undefined);
    await log.acknowledge(1);
    assert.equal(topic.partitionCount, 3);
  });

  it('stays if the new one cannot be written, and a later call writes it', async (t) => {
    const { topic, directory, close } = await open(t);
    await topic.setPartitionCount(3);
    // A file cannot be renamed over a directory.
    rmSync(join(directory, LAYOUT));
    mkdirSync(join(directory, LAYOUT, 'in-the-way'), { recursive: true });
    await assert.rejects(topic.setPartitionCount(4));
    assert.equal(topic.partitionCount, 3);
    rmSync(join(directory, LAYOUT), { recursive: true });
    await topic.setPartitionCount(4);
    await (await topic.log(0)).append([await makeBatch('a')]);
    await close();
    assert.equal((await open(t, { directory })).topic.partitionCount, 4);
  });

  it('is the last one of several that are set at once', async (t) => {
    const { topic, directory } = await open(t);
    await Promise.all([topic.setPartitionCount(4), topic.setPartitionCount(50), topic.setPartitionCount(6)]);
    const crashed = copyOf(t, directory);
    mkdirSync(join(crashed, 'metrics-0'));
    assert.equal(topic.partitionCount, 6);
    assert.equal((await open(t, { directory: crashed })).topic.partitionCount, 6);
  });
});

describe('a topic’s logs', () => {
  it('are opened once if several callers ask at the same time', async (t) => {
    const { topic } = await open(t);
    const logs = await Promise.all([topic.log(1), topic.log(1), topic.unplaced(), topic.unplaced()]);
    assert.equal(logs[0], logs[1]);
    assert.equal(logs[2], logs[3]);
  });

  it('are closed even if the topic is closed while one is being opened, and none is opened afterwards', async (t) => {
    for (let ticks = 0; ticks < 12; ticks++) {
      const { directory, topic, close } = await open(t);
      const opening = topic.log(1).catch(() => undefined);
      for (let tick = 0; tick < ticks; tick++) await turn();
      await close();
      await opening;
      await assert.rejects(topic.log(2), { message: 'the spool is closed' });
      assert.deepEqual(openFilesIn(directory), [], `closed after ${ticks} turns`);
    }
  });

  it('have no file open after a start until they are used', async (t) => {
    const { directory, topic, close } = await open(t);
    for (let p = 0; p < 20; p++) await (await topic.log(p)).append([await makeBatch(`p${p}`)]);
    await close();
    const again = await open(t, { directory });
    assert.deepEqual(openFilesIn(directory), [join(directory, 'lock')]);
    const log = await again.topic.log(7);
    const batch = await log.next();
    assert.equal(batch?.count, 1);
    await log.acknowledge(1);
    await again.close();
    assert.deepEqual(openFilesIn(directory), []);
    const last = await open(t, { directory });
    assert.deepEqual([last.topic.records, (await last.topic.log(7)).records], [19, 0]);
  });

  it('let one partition’s work exceed the cap until it is done, also in the unplaced log', async (t) => {
    const { topic } = await open(t, { maxBytes: 10 });
    const [one, other, unplaced] = [await topic.log(1), await topic.log(2), await topic.unplaced()];
    const full = { code: 'SPOOL_FULL' };
    await assert.rejects(one.append([await makeBatch('a')]), full);
    const done = new AbortController();
    const work = topic.beyondCap(1, once(done.signal, 'abort'));
    await one.append([await makeBatch('a')]);
    await unplaced.append([await makeBatch('b')]);
    await assert.rejects(other.append([await makeBatch('c')]), full);
    done.abort();
    await work;
    for (const log of [one, unplaced]) await assert.rejects(log.append([await makeBatch('d')]), full);
  });
});
