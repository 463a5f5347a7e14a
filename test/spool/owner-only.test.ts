// Only the owner may read a spool, whatever the umask.
import assert from 'node:assert/strict';
import fs, { chmodSync, lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { lockSpool } from '../../src/spool/lock.ts';
import { upgradeSpool } from '../../src/spool/upgrade.ts';
import { filesIn, flipBit, openLog, storeIn, temporaryDirectory } from './support.ts';
import { oldSpools } from './version-1.ts';

/** The directory and everything below it to which others have any right. */
function wideIn(directory: string): string[] {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((path) =>
    join(directory, path),
  );
  return [directory, ...paths].filter((path) => (lstatSync(path).mode & 0o077) !== 0);
}

/** A spool as an older version leaves it without a umask. */
function oldSpool(t: TestContext): string {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755);
  oldSpools('guessed')[0]?.layOut(directory);
  writeFileSync(join(directory, 'lock'), '');
  return directory;
}

describe('without a umask', () => {
  before(() => {
    process.umask(0);
  });

  it('files of a spool are readable by its owner only, those with damaged bytes included', async (t) => {
    const directory = join(temporaryDirectory(t), 'above', 'spool');
    const lock = lockSpool(directory);
    await upgradeSpool(directory);
    await storeIn(join(directory, 'a-0'), ['a', 'b']);
    const [segment = ''] = filesIn(join(directory, 'a-0'), '.log');
    flipBit(join(directory, 'a-0', segment), 66);
    await (await openLog(join(directory, 'a-0'))).log.close();
    lock.release();
    assert.equal(filesIn(join(directory, 'a-0'), '.bad').length, 1);
    assert.deepEqual(wideIn(directory), []);
    // The folder above is not the spool's alone.
    assert.equal(lstatSync(join(directory, '..')).mode & 0o777, 0o777);
  });

  it('wider modes of an older version are narrowed, but not those of foreign files', async (t) => {
    const directory = oldSpool(t);
    assert.ok(wideIn(directory).length > 10);
    fs.mkdirSync(join(directory, 'foreign'));
    writeFileSync(join(directory, 'notes.txt'), 'mine');
    const { remarks } = await upgradeSpool(directory);
    assert.ok(remarks.every(({ level }) => level !== 'warn'));
    assert.deepEqual(wideIn(directory), [join(directory, 'foreign'), join(directory, 'notes.txt')]);
  });

  it('a shared folder with the sticky bit stays as it is', async (t) => {
    const directory = oldSpool(t);
    chmodSync(directory, 0o1777);
    await upgradeSpool(directory);
    assert.deepEqual(wideIn(directory), [directory]);
  });

  it('a mode that cannot be changed is reported once and stops no start', async (t) => {
    const directory = oldSpool(t);
    const { chmod } = fs.promises;
    fs.promises.chmod = () => Promise.reject(Object.assign(new Error('no'), { code: 'EPERM' }));
    syncBuiltinESMExports();
    t.after(() => {
      fs.promises.chmod = chmod;
      syncBuiltinESMExports();
    });
    const { remarks } = await upgradeSpool(directory);
    const warnings = remarks.filter(({ level }) => level === 'warn').map(({ text }) => text);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /other users.*EPERM.*0700/);
  });
});
