// Files that change while the gateway runs: real files, changed as people and Kubernetes change them.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileError } from '../../src/config/file-content.ts';
import { FileWatch } from '../../src/files/file-watch.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { testLog } from '../support/log.ts';
import { waitFor } from '../support/wait.ts';

const EVERY_MS = 20;
const STILL_MS = 10;
/** Several looks at the files. */
const WHILE_MS = 5 * (EVERY_MS + STILL_MS);

interface LogLine {
  readonly level: number;
  readonly msg: string;
}

function watching(t: TestContext, { everyMs = EVERY_MS, stillMs = STILL_MS, isSecret = false } = {}) {
  const directory = temporaryDirectory(t);
  const lines: LogLine[] = [];
  const log = testLog({}, { write: (line: string) => lines.push(JSON.parse(line) as LogLine) });
  const files = new FileWatch({ log, everyMs, stillMs });
  t.after(() => files.stop());
  const path = join(directory, 'secret');
  const changes: string[] = [];
  const watch = (paths: readonly string[] = [path], fallback?: string) =>
    files.watch({
      name: 'SETTING',
      paths,
      parse: (...contents) => {
        const value = contents.join('+');
        if (value.includes('bad')) throw new Error('it is bad');
        return value;
      },
      changed: (value) => changes.push(value),
      secrets: isSecret ? [{ name: 'SETTING', path }] : [],
      maxBytes: 100,
      ...(fallback !== undefined && { fallback }),
    });
  const errors = () => lines.filter(({ level }) => level === 50).map(({ msg }) => msg);
  const warnings = () => lines.filter(({ level }) => level === 40).map(({ msg }) => msg);
  return { directory, path, files, watch, changes, errors, warnings, lines };
}

describe('a watched file', () => {
  it('is read at once, and again when it has changed', async (t) => {
    const { path, watch, changes } = watching(t);
    writeFileSync(path, 'one');
    const file = watch();
    assert.equal(file.value, 'one');
    assert.deepEqual(changes, []);
    writeFileSync(path, 'two');
    await waitFor('the new content', () => file.value === 'two');
    assert.deepEqual(changes, ['two']);
  });

  it('is not taken as changed if only its time or its inode is new', async (t) => {
    const { path, watch, changes, lines } = watching(t);
    writeFileSync(path, 'one');
    watch();
    utimesSync(path, 1, 1);
    await sleep(WHILE_MS);
    writeFileSync(`${path}.new`, 'one');
    renameSync(`${path}.new`, path);
    await sleep(WHILE_MS);
    assert.deepEqual(changes, []);
    assert.deepEqual(lines, []);
  });

  it('changes when Kubernetes swaps the symlink of its folder', async (t) => {
    const { directory, watch, changes } = watching(t);
    // A mounted secret: name -> ..data/name, ..data -> a folder with a time stamp, and ..data is replaced by a rename.
    for (const version of ['1', '2']) {
      mkdirSync(join(directory, version));
      writeFileSync(join(directory, version, 'tls.crt'), `cert ${version}`);
      writeFileSync(join(directory, version, 'tls.key'), `key ${version}`);
    }
    symlinkSync('1', join(directory, '..data'));
    const paths = ['tls.crt', 'tls.key'].map((name) => join(directory, name));
    for (const path of paths) symlinkSync(join('..data', path.slice(directory.length + 1)), path);
    const file = watch(paths);
    assert.equal(file.value, 'cert 1+key 1');
    symlinkSync('2', join(directory, '..data_tmp'));
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
    rmSync(join(directory, '1'), { recursive: true });
    await waitFor('the new content', () => file.value === 'cert 2+key 2');
    assert.deepEqual(changes, ['cert 2+key 2']);
  });

  it('keeps its old content in use if the new one is not valid, and says so once', async (t) => {
    const { path, watch, changes, errors } = watching(t);
    writeFileSync(path, 'one');
    const file = watch();
    writeFileSync(path, 'bad');
    await waitFor('the error', () => errors().length > 0);
    await sleep(WHILE_MS);
    assert.equal(file.value, 'one');
    assert.deepEqual(errors(), [
      'SETTING: the file cannot be used, and nothing changes until it is valid: it is bad',
    ]);
    assert.equal(file.failure, 'it is bad');
    writeFileSync(path, 'two');
    await waitFor('the valid content', () => file.value === 'two');
    assert.equal(file.failure, undefined);
    assert.deepEqual(changes, ['two']);
  });

  it('keeps its content in use if it vanishes, says so once, and notices that it is back', async (t) => {
    const { path, watch, changes, errors } = watching(t);
    writeFileSync(path, 'one');
    const file = watch();
    rmSync(path);
    await waitFor('the error', () => errors().length > 0);
    await sleep(WHILE_MS);
    assert.equal(errors().length, 1);
    assert.match(errors()[0] ?? '', /secret": there is no such file$/);
    assert.equal(file.value, 'one');
    writeFileSync(path, 'one');
    await waitFor('no failure', () => file.failure === undefined);
    assert.deepEqual(changes, []);
  });

  it('with a secret is warned about if every user can read it now, as a new file or by its mode', async (t) => {
    const { path, watch, changes, warnings } = watching(t, { isSecret: true });
    writeFileSync(path, 'one', { mode: 0o600 });
    watch();
    writeFileSync(`${path}.new`, 'two');
    chmodSync(`${path}.new`, 0o644);
    renameSync(`${path}.new`, path);
    await waitFor('the warning', () => warnings().length === 1);
    assert.match(warnings()[0] ?? '', /^SETTING: every user of this machine can read.*mode 0644/);
    await waitFor('the new content', () => changes.length === 1);
    chmodSync(path, 0o600);
    await sleep(WHILE_MS);
    assert.equal(warnings().length, 1);
    chmodSync(path, 0o602);
    await waitFor('the next warning', () => warnings().length === 2);
    assert.deepEqual(changes, ['two']);
  });

  it('is not read while it is being written', async (t) => {
    const { path, watch, changes, errors } = watching(t, { stillMs: 200 });
    writeFileSync(path, 'one');
    const file = watch();
    for (let i = 0; i < 20; i++) {
      writeFileSync(path, i % 2 === 0 ? 'bad' : `part ${i}`);
      await sleep(20);
    }
    writeFileSync(path, 'whole');
    await waitFor('the new content', () => file.value === 'whole');
    assert.deepEqual(changes, ['whole']);
    assert.deepEqual(errors(), []);
  });

  it('with its key is one value: a certificate is not used before its key has followed', async (t) => {
    const { directory, watch, changes } = watching(t, { stillMs: 200 });
    const paths = ['cert', 'key'].map((name) => join(directory, name));
    const write = (text: string) => (path: string) => writeFileSync(path, text);
    paths.forEach(write('1'));
    const file = watch(paths);
    write('2')(paths[0] ?? '');
    await sleep(100);
    write('2')(paths[1] ?? '');
    await waitFor('both', () => file.value === '2+2');
    assert.deepEqual(changes, ['2+2']);
  });
});

describe('reload()', () => {
  it('reads at once, without a wait for the next look', async (t) => {
    const { path, files, watch, changes, errors } = watching(t, { everyMs: 3_600_000, stillMs: 3_600_000 });
    writeFileSync(path, 'one');
    const file = watch();
    writeFileSync(path, 'two');
    await files.reload();
    assert.equal(file.value, 'two');
    assert.deepEqual(changes, ['two']);
    writeFileSync(path, 'bad');
    await files.reload();
    assert.equal(file.value, 'two');
    assert.equal(errors().length, 1);
  });
});

describe('a file that cannot be used at the start', () => {
  it('is an error with its path and reason', (t) => {
    const { directory, watch } = watching(t);
    assert.throws(() => watch(), /secret": there is no such file$/);
    assert.throws(() => watch([directory]), /this is not a file/);
    assert.throws(() => watch(['/dev/zero']), FileError);
    const large = join(directory, 'large');
    writeFileSync(large, 'x'.repeat(101));
    assert.throws(() => watch([large]), /it has 101 bytes; at most 100 are allowed/);
  });

  it('is replaced by the fallback until it is valid', async (t) => {
    const { path, watch, errors } = watching(t);
    writeFileSync(path, 'bad');
    const file = watch([path], 'former');
    assert.equal(file.value, 'former');
    assert.equal(errors().length, 1);
    writeFileSync(path, 'one');
    await waitFor('the valid content', () => file.value === 'one');
    rmSync(path);
    const other = watch([path], 'former');
    assert.equal(other.value, 'former');
    writeFileSync(path, 'two');
    await waitFor('the new file', () => other.value === 'two');
  });
});

describe('after stop()', () => {
  it('nothing changes any more, not even by a read that is under way', async (t) => {
    const { path, files, watch, changes } = watching(t);
    writeFileSync(path, 'one');
    const file = watch();
    writeFileSync(path, 'two');
    const reloaded = files.reload();
    await Promise.resolve();
    files.stop();
    await reloaded;
    await sleep(WHILE_MS);
    await files.reload();
    assert.equal(file.value, 'one');
    assert.deepEqual(changes, []);
  });
});
