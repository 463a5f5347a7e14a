import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { holderOf, missingMount, mountOf, roomOf } from '../../src/disk/mounts.ts';
import { temporaryDirectory } from '../support/directory.ts';

const MOUNTINFO = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /mnt/data rw,relatime - ext4 /dev/sdb1 rw
31 22 0:27 / /mnt/my\\040disk rw,nosuid - xfs /dev/sdc1 rw
32 30 0:28 / /mnt/data rw - tmpfs none rw
33 22 0:29 / /mnt/database rw - nfs4 nas:/share\\040one rw
`;

describe('the file system of a path', () => {
  for (const [path, point, device] of [
    ['/var/spool', '/', '/dev/vda'],
    // The later mount hides the earlier one at the same point.
    ['/mnt/data/spool', '/mnt/data', 'none'],
    ['/mnt/data', '/mnt/data', 'none'],
    ['/mnt/database/x', '/mnt/database', 'nas:/share one'],
    ['/mnt/my disk/..x', '/mnt/my disk', '/dev/sdc1'],
  ] as const) {
    it(`${path} is on ${device}`, () => {
      const found = holderOf(path, MOUNTINFO);
      assert.deepEqual([found?.point, found?.device], [point, device]);
    });
  }

  it('is known for a directory of this machine, with its room', {
    skip: process.platform !== 'linux',
  }, (t) => {
    const directory = temporaryDirectory(t);
    const { type, device } = mountOf(directory) ?? {};
    assert.ok(type && device);
    assert.equal(mountOf('/proc')?.type, 'proc');
    assert.equal(mountOf(join(directory, 'absent')), undefined);
    const { freeBytes, totalBytes } = roomOf(directory);
    assert.ok(freeBytes > 0 && totalBytes >= freeBytes);
  });
});

describe('a disk of /etc/fstab that is not mounted', () => {
  const fstab = `# a remark /mnt/remark
/dev/vda / ext4 defaults 0 1
UUID=1 /mnt/data ext4 defaults 0 2
  /dev/sdd1\t/mnt/absent\text4 noauto 0 2
UUID=2 none swap sw 0 0
/dev/sde1 /mnt/other\\040disk ext4 defaults 0 2
`;
  for (const [path, point] of [
    ['/mnt/absent/spool', '/mnt/absent'],
    ['/mnt/absent', '/mnt/absent'],
    ['/mnt/other disk/a/b', '/mnt/other disk'],
    ['/mnt/absentee/spool', undefined],
    ['/mnt/data/spool', undefined],
    ['/mnt/remark/spool', undefined],
    ['/var/spool', undefined],
  ] as const) {
    it(`${point === undefined ? 'does not concern' : 'is found for'} ${path}`, () => {
      assert.equal(missingMount(path, { fstab, mountinfo: MOUNTINFO }), point);
    });
  }

  it('is found behind a symbolic link', (t) => {
    const directory = temporaryDirectory(t);
    mkdirSync(join(directory, 'disk'));
    symlinkSync(join(directory, 'disk'), join(directory, 'link'));
    const tables = { fstab: `/dev/sdf1 ${directory}/disk ext4 defaults 0 2\n`, mountinfo: MOUNTINFO };
    assert.equal(missingMount(join(directory, 'link', 'spool'), tables), `${directory}/disk`);
  });
});
