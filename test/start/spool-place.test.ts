import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { SpoolUnusableError } from '../../src/spool/unusable.ts';
import { checkSpoolPlace } from '../../src/start/spool-place.ts';
import { mount } from '../spool/support.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { testSettings } from '../support/gateway.ts';
import { recordedLog } from '../support/log.ts';

const NOBODY = 65_534;

async function check(directory: string, env: Readonly<Record<string, string>> = {}) {
  const { log, lines } = recordedLog();
  const { signal } = new AbortController();
  await checkSpoolPlace(testSettings({ ...env, SPOOL_DIR: directory }), { log, signal });
  return lines.map(({ event, msg, ...fields }) => ({ event, msg, fields }));
}

async function events(directory: string, env?: Readonly<Record<string, string>>): Promise<string[]> {
  return (await check(directory, env)).map(({ event }) => event);
}

/** The message names the setting with its value, the reason and a remedy. */
async function refused(directory: string, reason: string, { exitCode = 78 } = {}): Promise<void> {
  await assert.rejects(check(directory), (error) => {
    assert.ok(error instanceof SpoolUnusableError, String(error));
    const start = `SPOOL_DIR=${directory} cannot be used: ${reason}`;
    assert.ok(error.message.startsWith(start), `${error.message}\ndoes not start with\n${start}`);
    assert.match(error.message.slice(start.length), /\. [A-Z]/);
    assert.equal(error.exitCode, exitCode);
    return true;
  });
}

describe('the place of the spool', () => {
  it('is told with its disk, limit and free space', async (t) => {
    const directory = temporaryDirectory(t);
    const [line, ...others] = await check(directory, { SPOOL_MAX_BYTES: '1MiB', SPOOL_DEAD_BYTES: '1MiB' });
    const inMemory = others.filter(({ event }) => event !== 'spool_in_memory');
    assert.deepEqual(inMemory, []);
    assert.match(line?.msg ?? '', /^Spool: .+, limit 1\.0 MiB, [\d.]+ .iB of [\d.]+ .iB free$/);
    assert.ok(line?.msg.includes(directory));
    const { bsize, blocks } = statfsSync(directory);
    assert.equal(line?.fields.totalBytes, blocks * bsize);
    assert.equal(line?.fields.maxBytes, 2 ** 20);
    assert.equal(line?.fields.directory, directory);
  });

  it('is created if it is relative, with all that is missing above it, without a warning', async (t) => {
    const directory = join(temporaryDirectory(t), 'a', 'b', 'spool');
    assert.ok(!(await events(relative(process.cwd(), directory))).includes('spool_created'));
    assert.ok(existsSync(directory));
  });

  it('is created with a warning if it is absolute, and only once', async (t) => {
    const directory = join(temporaryDirectory(t), 'spool');
    const line = (await check(directory)).find(({ event }) => event === 'spool_created');
    assert.match(
      line?.msg ?? '',
      /^SPOOL_DIR=.+ was missing and has been created\. If it belongs on another disk/,
    );
    assert.ok(!(await events(directory)).includes('spool_created'));
  });

  it('is refused, and nothing is created, if it is absolute and the directory above is missing', async (t) => {
    const parent = join(temporaryDirectory(t), 'mnt', 'disk');
    await refused(join(parent, 'spool'), `${parent} is missing, so a disk may not be mounted`);
    assert.equal(existsSync(join(parent, '..')), false);
  });

  it('is refused if it is a file, below a file, or a link to nothing', async (t) => {
    const directory = temporaryDirectory(t);
    const file = join(directory, 'file');
    writeFileSync(file, '');
    await refused(file, `${file} is a file and no directory`);
    await refused(join(file, 'spool'), `${file} is a file and no directory`);
    const link = join(directory, 'link');
    symlinkSync(join(directory, 'nothing'), link);
    await refused(link, `it is a symbolic link to ${directory}/nothing, where nothing is`);
  });

  it('is refused if it belongs to another user', { skip: process.getuid?.() !== 0 }, async (t) => {
    const parent = temporaryDirectory(t);
    chmodSync(parent, 0o755);
    const directory = join(parent, 'spool');
    mkdirSync(directory, { mode: 0o700 });
    await asUser(NOBODY, () =>
      refused(
        directory,
        `no permission for ${directory}/lock (${directory} is of user 0, mode 0700, and the gateway runs as user ${NOBODY})`,
      ),
    );
  });

  it('is refused on a file system that is read-only', async (t) => {
    const disk = mount(t, ['-t', 'tmpfs', '-o', 'ro', 'none']);
    if (disk === undefined) return;
    await refused(disk, `the file system of ${disk}/lock is mounted read-only`);
    await refused(join(disk, 'spool'), `the file system of ${disk}/spool is mounted read-only`);
  });

  it('is refused with exit code 1 if the disk has no room for a directory: that may pass', async (t) => {
    const disk = mount(t, ['-t', 'tmpfs', '-o', 'size=1m,nr_inodes=1', 'none']);
    if (disk === undefined) return;
    await refused(join(disk, 'spool'), `the disk has no room to create ${disk}/spool`, { exitCode: 1 });
  });

  it('is warned about if it is in memory', async (t) => {
    const disk = mount(t, ['-t', 'tmpfs', '-o', 'size=64m', 'none']);
    if (disk === undefined) return;
    const limits = { SPOOL_MAX_BYTES: '2MiB', SPOOL_DEAD_BYTES: '1MiB' };
    assert.deepEqual(await events(disk, limits), ['spool_placed', 'spool_in_memory']);
  });

  it('is warned about if its limits are more than the disk has, with the numbers', async (t) => {
    const disk = mount(t, ['-t', 'tmpfs', '-o', 'size=10m', 'none']);
    if (disk === undefined) return;
    const warning = async (max: string, dead: string) => {
      const env = { SPOOL_MAX_BYTES: max, SPOOL_DEAD_BYTES: dead };
      return (await check(disk, env)).find(({ event }) => event === 'spool_disk_too_small');
    };
    assert.equal(await warning('8MiB', '1MiB'), undefined);
    const both = await warning('8MiB', '4MiB');
    assert.match(
      both?.msg ?? '',
      /^SPOOL_MAX_BYTES=8MiB and SPOOL_DEAD_BYTES=4MiB together are more than the disk has: 10\.0 MiB are free/,
    );
    const one = await warning('1GiB', '1MiB');
    assert.match(
      one?.msg ?? '',
      /^SPOOL_MAX_BYTES=1GiB is more than the disk has: .* and the spool has \d+ B\. In a long outage/,
    );
    // What the spool has already counts as room for it.
    writeFileSync(join(disk, 'segment'), Buffer.alloc(5 * 2 ** 20));
    assert.equal(await warning('8MiB', '1MiB'), undefined);
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(5 * 2 ** 20 - 8192));
    assert.match(
      (await warning('16MiB', '1MiB'))?.msg ?? '',
      /The disk is full now: if Kafka is away, devices are paused/,
    );
  });
});

async function asUser(user: number, work: () => Promise<void>): Promise<void> {
  process.seteuid?.(user);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}
