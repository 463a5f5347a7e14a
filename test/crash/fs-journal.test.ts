// Checks the journal against the real file system, and the model of a disk against the rules of POSIX.
import assert from 'node:assert/strict';
import fs, {
  createWriteStream,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { mkdir, open, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type TestContext, test } from 'node:test';
import { crashStates, type DiskState, tornStates } from '../../simulation/disk/crash-states.ts';
import type { Tree } from '../../simulation/disk/disk-model.ts';
import { FsJournal } from './fs-journal.ts';
import { readTree, writeTree } from './trees.ts';

function record(t: TestContext): FsJournal<string> {
  const root = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
  const journal = FsJournal.record<string>(root);
  t.after(() => {
    journal.stop();
    rmSync(root, { recursive: true, force: true });
  });
  return journal;
}

const texts = (tree: Tree) =>
  Object.fromEntries([...tree].map(([path, content]) => [path, content?.toString() ?? null]));
const named = (states: readonly DiskState[], name: string) => {
  const found = states.find((state) => state.name === name);
  assert.ok(found, `${name} is not among ${states.map((state) => state.name).join(', ')}`);
  return texts(found.tree);
};

test('every kind of change is recorded as the kernel makes it', async (t) => {
  const journal = record(t);
  const at = (name: string) => join(journal.root, name);
  await mkdir(at('a/b'), { recursive: true });
  const file = await open(at('a/b/one'), 'w+');
  await file.write(Buffer.from('..hello..'), 2, 5, 0);
  await file.writev([Buffer.from(' wor'), Buffer.from('ld')], 5);
  await file.truncate(8);
  await file.write('!');
  await file.datasync();
  await file.close();
  await pipeline(fs.createReadStream(at('a/b/one'), { start: 0, end: 3 }), createWriteStream(at('a/copy')));
  await writeFile(at('two'), 'two\n');
  await writeFile(at('two'), 'three');
  await rename(at('two'), at('three'));
  const fd = openSync(at('lock'), 'a+');
  writeSync(fd, '12');
  fs.ftruncateSync(fd);
  writeSync(fd, '345');
  fs.fsyncSync(fd);
  fs.closeSync(fd);
  await fs.promises.link(at('lock'), at('lock2'));
  await unlink(at('lock'));
  fs.mkdirSync(at('gone/x'), { recursive: true });
  fs.writeFileSync(at('gone/x/y'), 'y');
  await rm(at('gone'), { recursive: true, force: true });
  assert.deepEqual(texts(journal.disk.tree), texts(readTree(journal.root)));
  assert.equal(texts(journal.disk.tree)['a/b/one'], '!ello wo');
  assert.ok(journal.entries.length > 20, journal.entries.map(({ text }) => text).join('\n'));
});

test('changes elsewhere are not recorded, and a change that cannot be recorded is refused', async (t) => {
  const journal = record(t);
  const elsewhere = mkdtempSync(join(tmpdir(), 'sluice-elsewhere-'));
  t.after(() => rmSync(elsewhere, { recursive: true, force: true }));
  await writeFile(join(elsewhere, 'x'), 'x');
  await fs.promises.copyFile(join(elsewhere, 'x'), join(elsewhere, 'y'));
  assert.equal(journal.entries.length, 0);
  await assert.rejects(
    async () => fs.promises.copyFile(join(elsewhere, 'x'), join(journal.root, 'y')),
    /record/,
  );
});

test('node:fs is as it was once the journal stops', async () => {
  const before = { ...fs.promises, ...fs };
  const root = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
  const journal = FsJournal.record<string>(root);
  journal.stop();
  await writeFile(join(root, 'x'), 'x');
  assert.equal(journal.entries.length, 0);
  assert.deepEqual({ ...fs.promises, ...fs }, before);
  rmSync(root, { recursive: true });
});

test('an unsynced file may lose its bytes, and a file in an unsynced directory its name', async (t) => {
  const journal = record(t);
  const file = await open(join(journal.root, 'a'), 'w');
  await file.write('one');
  const states = () => crashStates(journal.disk);
  assert.deepEqual(named(states(), 'everything unsynced lost'), {});
  assert.deepEqual(named(states(), 'lost alone: a'), { a: '' });
  await file.sync();
  // A sync of the file does not keep its name.
  assert.deepEqual(named(states(), 'everything unsynced lost'), {});
  const directory = await open(journal.root, 'r');
  await directory.sync();
  await directory.close();
  assert.deepEqual(named(states(), 'everything unsynced lost'), { a: 'one' });
  assert.equal(states().length, 2, 'everything is synced');
  await file.write(' two');
  await writeFile(join(journal.root, 'b'), 'b');
  assert.deepEqual(named(states(), 'everything applied'), { a: 'one two', b: 'b' });
  assert.deepEqual(named(states(), 'everything unsynced lost'), { a: 'one' });
  assert.deepEqual(named(states(), 'lost alone: a'), { a: 'one', b: 'b' });
  assert.deepEqual(named(states(), 'lost alone: .'), { a: 'one two' });
  await file.close();
});

test('a rename is lost or kept as a whole', async (t) => {
  const journal = record(t);
  await writeFile(join(journal.root, 'a'), 'old');
  await writeFile(join(journal.root, 'a.new'), 'new');
  journal.disk.settle();
  await rename(join(journal.root, 'a.new'), join(journal.root, 'a'));
  assert.deepEqual(named(crashStates(journal.disk), 'everything unsynced lost'), {
    a: 'old',
    'a.new': 'new',
  });
  assert.deepEqual(named(crashStates(journal.disk), 'everything applied'), { a: 'new' });
});

test('each of several changes of a directory may be lost alone', async (t) => {
  const journal = record(t);
  await writeFile(join(journal.root, 'a'), 'a');
  await writeFile(join(journal.root, 'b'), 'b');
  journal.disk.settle();
  await unlink(join(journal.root, 'a'));
  await unlink(join(journal.root, 'b'));
  assert.deepEqual(named(crashStates(journal.disk), 'lost alone: -a in .'), { a: 'a' });
  assert.deepEqual(named(crashStates(journal.disk), 'lost alone: -b in .'), { b: 'b' });
});

test('the last write may be on the disk in part, or as zeros', async (t) => {
  const journal = record(t);
  const file = await open(join(journal.root, 'a'), 'w');
  await file.write('1234');
  const [first] = journal.entries.slice(-1);
  await file.close();
  assert.ok(first?.change.kind === 'write');
  const before = record(t);
  await writeFile(join(before.root, 'a'), '');
  const torn = tornStates(before.disk, { ...first.change, node: 1 }).map(({ tree }) => texts(tree));
  assert.deepEqual(torn, [{ a: '12' }, { a: '123' }, { a: '\0\0\0\0' }]);
});

test('after a failed sync, a later sync does not make the bytes durable', async (t) => {
  const journal = record(t);
  const file = await open(join(journal.root, 'a'), 'w');
  journal.disk.settle();
  await file.write('one');
  journal.fault = (step) => (step === 'sync' ? 'EIO' : undefined);
  await assert.rejects(file.datasync(), { code: 'EIO' });
  journal.fault = () => undefined;
  await file.datasync();
  assert.deepEqual(named(crashStates(journal.disk), 'everything unsynced lost'), { a: '' });
  await file.close();
});

test('a full disk takes a part of a write, and then none', async (t) => {
  const journal = record(t);
  const file = await open(join(journal.root, 'a'), 'w');
  journal.capacityBytes = 4;
  assert.equal((await file.write('abc')).bytesWritten, 3);
  assert.equal((await file.write('def')).bytesWritten, 1);
  await assert.rejects(file.write('ef'), { code: 'ENOSPC' });
  assert.equal((await file.write('AB', 0)).bytesWritten, 2, 'bytes that are there can be written over');
  await file.close();
  assert.equal(readFileSync(join(journal.root, 'a'), 'utf8'), 'ABcd');
});

test('a process that has crashed makes no more changes', async (t) => {
  const journal = record(t);
  const path = join(journal.root, 'a');
  const file = await open(path, 'w');
  await file.write('one');
  await journal.crash(async () => {
    await assert.rejects(file.write('two'));
    await assert.rejects(unlink(path));
    assert.throws(() => fs.unlinkSync(path));
    await file.close();
  });
  assert.deepEqual(readdirSync(journal.root), ['a']);
  await unlink(path);
  assert.deepEqual(readdirSync(journal.root), []);
});

test('a tree is written as it was read', (t) => {
  const from = mkdtempSync(join(tmpdir(), 'sluice-tree-'));
  const to = mkdtempSync(join(tmpdir(), 'sluice-tree-'));
  t.after(() => {
    for (const directory of [from, to]) rmSync(directory, { recursive: true, force: true });
  });
  fs.mkdirSync(join(from, 'a/b'), { recursive: true });
  fs.writeFileSync(join(from, 'a/b/c'), 'c');
  fs.writeFileSync(join(from, 'd'), '');
  writeTree(to, readTree(from));
  assert.deepEqual(texts(readTree(to)), { a: null, 'a/b': null, 'a/b/c': 'c', d: '' });
});
