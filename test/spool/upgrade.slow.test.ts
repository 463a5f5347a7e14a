// Upgrades of spools of version 1, one for each step at which a crash may have left them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { HEADER_BYTES } from '../../src/kafka/batches/record-batch.ts';
import { forEachRecord, recordParts } from '../../src/kafka/batches/record-body.ts';
import { readCursor } from '../../src/spool/cursor.ts';
import { type LogName, logName, logsIn } from '../../src/spool/names.ts';
import { DEAD_LETTERS_NAME, deadLettersDirectory } from '../../src/spool/parts.ts';
import { upgradeSpool } from '../../src/spool/upgrade.ts';
import { openLog, storeIn, temporaryDirectory } from './support.ts';
import { type OldSpool, oldSpoolNames, oldSpools } from './version-1.ts';

/** A log's unacknowledged records in order. */
async function recordsOf(directory: string): Promise<{ key: string; n: number }[]> {
  const { log } = await openLog(directory);
  const records: { key: string; n: number }[] = [];
  for (let batch = await log.next(); batch !== undefined; batch = await log.next()) {
    forEachRecord(batch.bytes.subarray(HEADER_BYTES), 0, (_, body) => {
      const { key, value } = recordParts(body);
      records.push({ key: String(key), n: (JSON.parse(value.toString()) as { data: { n: number } }).data.n });
    });
  }
  await log.close();
  return records;
}

/** In the order in which records reach their partitions: logs in place, then the sources, the oldest first. */
const rank = ({ kind, number }: LogName): number => (kind === 'partition' ? -Infinity : -number);

async function byKey(directory: string): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  for (const log of (await logsIn(directory)).sort((a, b) => rank(a) - rank(b))) {
    for (const { key, n } of await recordsOf(join(directory, logName(log)))) {
      found.set(key, [...(found.get(key) ?? []), n]);
    }
  }
  return found;
}

async function assertComplete(directory: string, { step, expected }: OldSpool): Promise<void> {
  const found = await byKey(directory);
  for (const [key, { from, to }] of expected) {
    const numbers = Array.from({ length: to - from }, (_, index) => from + index);
    assert.deepEqual(found.get(key), numbers, `${key} after ${step}`);
  }
  const names = fs.readdirSync(directory);
  const others = names.filter((name) => !/^(format|[a-z]+[-~][a-z0-9-]+|[a-z]+\.layout(\.new)?)$/.test(name));
  assert.deepEqual(others, [], `after ${step}`);
  assert.match(fs.readFileSync(join(directory, 'format'), 'utf8'), /^\{"version":2,/);
}

/** The folders of the fixture's logs. */
const within = (name: string, directory: string): string =>
  name === DEAD_LETTERS_NAME ? deadLettersDirectory(directory) : directory;

const MUTATIONS = ['open', 'rename', 'unlink', 'rm', 'rmdir', 'mkdir'] as const;

/** Runs `work`. From change number `steps` of the file system on, every change fails as after a crash. */
async function cutOffAfter(steps: number, work: () => Promise<unknown>): Promise<{ wasCut: boolean }> {
  const real = { ...fs.promises };
  let done = 0;
  for (const name of MUTATIONS) {
    const original = real[name] as (...args: unknown[]) => Promise<unknown>;
    Object.assign(fs.promises, {
      [name]: (...args: unknown[]) =>
        done++ < steps ? original(...args) : Promise.reject(new Error('the process is gone')),
    });
  }
  syncBuiltinESMExports();
  try {
    await work().catch(() => undefined);
  } finally {
    for (const name of MUTATIONS) Object.assign(fs.promises, { [name]: real[name] });
    syncBuiltinESMExports();
  }
  return { wasCut: done > steps };
}

describe('a spool of version 1', () => {
  for (const name of oldSpoolNames()) {
    it(`(${name}) has each record once and in order`, async (t) => {
      for (const old of oldSpools(name)) {
        const directory = temporaryDirectory(t);
        old.layOut(directory);
        await upgradeSpool(within(name, directory));
        await assertComplete(within(name, directory), old);
      }
    });
  }

  for (const name of ['guessed', 'swap-failed-halfway']) {
    it(`(${name}) survives a crash at each step of its upgrade`, async (t) => {
      let crashes = 0;
      for (const old of differing(oldSpools(name), t)) {
        for (let steps = 0; ; steps++) {
          const directory = temporaryDirectory(t);
          old.layOut(directory);
          const { wasCut } = await cutOffAfter(steps, () => upgradeSpool(directory));
          await upgradeSpool(directory);
          await assertComplete(directory, { ...old, step: `${old.step}, cut off after ${steps} steps` });
          fs.rmSync(directory, { recursive: true });
          if (!wasCut) break;
          crashes++;
        }
      }
      t.diagnostic(`${crashes} crashes`);
      assert.ok(crashes > 10);
    });
  }

  it('keeps the batch that was being sent and its producer', async (t) => {
    const directory = temporaryDirectory(t);
    oldSpools('known-in-flight').at(-1)?.layOut(directory);
    const before = new Map([1, 2, 3].map((n) => [n, fs.readFileSync(cursorOf(directory, n))]));
    await upgradeSpool(directory);
    for (const [n, bytes] of before) assert.deepEqual(fs.readFileSync(cursorOf(directory, n)), bytes);
    const state = await readCursor(cursorOf(directory, 1));
    assert.equal(state?.assignment?.producerId, 500n);
    assert.ok((state?.sendingEnd ?? 0) > (state?.acknowledged ?? 0));
    assert.equal(fs.readFileSync(join(directory, 'readings.layout'), 'utf8'), '{"partitions":4}\n');
  });

  for (const damage of ['missing', 'damaged'] as const) {
    const lose = (directory: string) => {
      const path = join(directory, 'readings.layout');
      if (damage === 'missing') fs.unlinkSync(path);
      else fs.writeFileSync(path, '');
    };

    it(`whose layout is ${damage} is placed again if it was never sent from`, async (t) => {
      const directory = temporaryDirectory(t);
      const old = first('guessed', directory);
      lose(directory);
      await upgradeSpool(directory);
      await assertComplete(directory, old);
      assert.ok((await logsIn(directory)).every(({ kind }) => kind === 'gone'));
    });

    it(`whose layout is ${damage} stays in place if it was sent from`, async (t) => {
      const directory = temporaryDirectory(t);
      oldSpools('known-in-flight').at(-1)?.layOut(directory);
      lose(directory);
      await upgradeSpool(directory);
      assert.deepEqual((await logsIn(directory)).map(logName), ['readings-1', 'readings-2', 'readings-3']);
    });
  }

  it('keeps records that were written to the old logs while they were being rewritten, and reports it', async (t) => {
    const directory = temporaryDirectory(t);
    const old = oldSpools('guessed').find(({ step }) => step === 'open done');
    old?.layOut(directory);
    await storeIn(join(directory, 'readings-3'), ['late']);
    const late = (await logsIn(directory)).find(({ number }) => number === 3);
    assert.ok(late);
    const [segment] = fs.readdirSync(join(directory, 'readings-3')).filter((name) => name.endsWith('.log'));
    const afterwards = Date.now() / 1000 + 10;
    fs.utimesSync(join(directory, 'readings-3', segment ?? ''), afterwards, afterwards);
    const { remarks } = await upgradeSpool(directory);
    assert.match(remarks.find(({ level }) => level === 'warn')?.text ?? '', /readings-3 was written to/);
    const sources = (await logsIn(directory)).filter(({ kind }) => kind === 'gone');
    assert.equal(sources.length, 1);
    const bytes = fs
      .readdirSync(join(directory, 'readings~gone-1'))
      .map((name) => fs.readFileSync(join(directory, 'readings~gone-1', name), 'latin1'));
    assert.ok(bytes.some((text) => text.includes('late/0')));
  });
});

describe('a spool of version 2', () => {
  it('is not changed by another start, even if its format file is damaged', async (t) => {
    for (const name of ['guessed', 'known-in-flight']) {
      const directory = temporaryDirectory(t);
      first(name, directory);
      await upgradeSpool(directory);
      const contents = () =>
        fs
          .readdirSync(directory, { recursive: true, encoding: 'utf8' })
          .filter((path) => fs.statSync(join(directory, path)).isFile())
          .map((path) => [path, fs.readFileSync(join(directory, path), 'base64')]);
      const before = contents();
      assert.deepEqual(await upgradeSpool(directory), { found: 2, remarks: [] });
      assert.deepEqual(contents(), before);
      fs.writeFileSync(join(directory, 'format'), '{"ver');
      const { found, remarks } = await upgradeSpool(directory);
      assert.equal(found, 'damaged');
      assert.match(remarks[0]?.text ?? '', /damaged/);
      assert.deepEqual(contents(), before);
    }
  });

  it('keeps its logs and its plan if the format file is missing, because the file may have been lost', async (t) => {
    const directory = temporaryDirectory(t);
    for (const name of ['a-0', 'a~unplaced']) await storeIn(join(directory, name), [name]);
    fs.writeFileSync(join(directory, 'a.placing'), 'a plan');
    await upgradeSpool(directory);
    assert.deepEqual(fs.readdirSync(directory).sort(), ['a-0', 'a.placing', 'a~unplaced', 'format']);
  });
});

/** The first spool of each kind of state, by its markers and the logs inside and outside of the second set's folder. */
function differing(spools: readonly OldSpool[], t: TestContext): OldSpool[] {
  const seen = new Set<string>();
  return spools.filter((old) => {
    const directory = temporaryDirectory(t);
    old.layOut(directory);
    const placing = fs.readdirSync(directory).find((name) => name.endsWith('.placing'));
    const inside = placing === undefined ? [] : fs.readdirSync(join(directory, placing));
    const state = [
      placing !== undefined,
      inside.includes('done'),
      inside.includes('old-removed'),
      inside.some((name) => name.includes('-') && name !== 'old-removed'),
      fs.readdirSync(directory).some((name) => /^[a-z]+-\d+$/.test(name)),
    ].join();
    const isNew = !seen.has(state);
    seen.add(state);
    return isNew;
  });
}

function first(name: string, directory: string): OldSpool {
  const [old] = oldSpools(name);
  assert.ok(old);
  old.layOut(directory);
  return old;
}

const cursorOf = (directory: string, partition: number): string =>
  join(directory, `readings-${partition}`, 'cursor');
