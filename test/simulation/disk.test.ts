// The simulated disk in a world: what a killed process, a hanging call, a failed sync and a power cut leave.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Disk } from '../../simulation/disk/disk.ts';
import { allowedBy, cutPower } from '../../simulation/disk/power-cut.ts';
import { PromiseCalls } from '../../simulation/disk/promise-calls.ts';
import * as fsShim from '../../simulation/shims/fs.ts';
import * as promisesShim from '../../simulation/shims/fs-promises.ts';
import { Random } from '../../simulation/world/random.ts';
import { World } from '../../simulation/world/world.ts';
import { Player } from './disk/calls.ts';
import { randomScript } from './disk/scripts.ts';
import { smallHost } from './disk/small-host.ts';

function diskWorld(t: TestContext, seed = 1): { world: World; disk: Disk; fs: PromiseCalls } {
  const world = new World(seed);
  t.after(() => world.end());
  const disk = new Disk(world);
  return { world, disk, fs: new PromiseCalls(disk) };
}

/** A disk of its own after a random script. */
async function usedDisk(seed: number): Promise<Disk> {
  const disk = new Disk(smallHost(seed));
  const player = Player.simulated('/tmp', disk);
  for (const call of randomScript(new Random(seed, 'script'), 30)) await player.play(call);
  return disk;
}

describe('the functions of node:fs', () => {
  for (const [module, shim] of [
    ['node:fs', fsShim],
    ['node:fs/promises', promisesShim],
  ] as const)
    it(`has every function of ${module} that the gateway imports`, () => {
      const src = fileURLToPath(new URL('../../src', import.meta.url));
      const names = readdirSync(src, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.js'))
        .flatMap((file) => {
          const code = readFileSync(join(src, file), 'utf8');
          const imports = code.matchAll(new RegExp(`import \\{([^}]*)\\} from '${module}'`, 'g'));
          return [...imports].flatMap(([, list = '']) => list.split(','));
        })
        .map((name) => name.trim().split(' as ')[0] ?? '')
        .filter((name) => name !== '');
      assert.ok(names.length > 10);
      assert.deepEqual([...new Set(names)].filter((name) => !(name in shim)).sort(), []);
      assert.deepEqual(
        Object.keys(shim)
          .filter((name) => name !== 'default')
          .sort(),
        Object.keys(shim.default).sort(),
      );
    });
});

describe('a process that is killed', () => {
  it('has made its last write or not, and hears of neither', async (t) => {
    const outcomes = new Set<string>();
    for (let seed = 1; outcomes.size < 2 && seed < 100; seed++) {
      const { world, disk, fs } = diskWorld(t, seed);
      const process = world.startProcess('writer');
      let isWriting = false;
      let hasHeard = false;
      world.after(
        0,
        async () => {
          const file = await fs.open('/tmp/f', 'w');
          isWriting = true;
          await file.write(Buffer.from('all'), 0, 3, 0);
          hasHeard = true;
        },
        process,
      );
      await world.play({ ms: 1000, done: () => isWriting });
      process.kill();
      await world.play({ ms: 1000 });
      assert.equal(hasHeard, false);
      assert.equal(disk.openCount(process), 0);
      outcomes.add(`${disk.contentOf('/tmp/f')}`);
      world.end();
    }
    assert.deepEqual([...outcomes].sort(), ['', 'all']);
  });

  it('gives its locks back at once', async (t) => {
    const { world, disk } = diskWorld(t);
    const [first, second] = [world.startProcess('first'), world.startProcess('second')];
    const lock = () => disk.flock(disk.open('/tmp/lock', 'a+'), 'exclusive');
    assert.equal(world.inside(first, lock), true);
    assert.equal(world.inside(second, lock), false);
    first.kill();
    assert.equal(world.inside(second, lock), true);
  });
});

describe('a call that hangs', () => {
  it('holds up others only once it has taken all four threads', async (t) => {
    const { world, disk, fs } = diskWorld(t);
    const ended: string[] = [];
    disk.hang('sync', { times: 4 });
    world.after(0, async () => {
      const file = await fs.open('/tmp/f', 'w');
      for (const number of [1, 2, 3]) void file.sync().then(() => ended.push(`sync ${number}`));
      await fs.stat('/tmp/f').then(() => ended.push('stat'));
      void file.datasync().then(() => ended.push('sync 4'));
      void fs.stat('/tmp/f').then(() => ended.push('late stat'));
    });
    await world.play({ ms: 10_000 });
    assert.deepEqual(ended, ['stat']);
    disk.heal();
    await world.play({ ms: 10_000 });
    assert.deepEqual(ended.sort(), ['late stat', 'stat', 'sync 1', 'sync 2', 'sync 3', 'sync 4']);
    assert.equal(disk.faultsMet.get('hang sync'), 4);
  });
});

describe('a sync', () => {
  it('covers the writes before it began, and not those during it', async () => {
    const disk = new Disk(smallHost(1));
    const file = disk.files.open('/tmp/f', 'w');
    disk.files.open('/tmp').sync('fsync');
    file.write(Buffer.from('before'), 0);
    const begin = file.syncBegin;
    file.write(Buffer.from('during'), 6);
    file.sync('fdatasync', begin);
    assert.equal(`${disk.files.store.model.durableTree.get('tmp/f')}`, 'before');
  });

  it('that fails leaves its writes in danger, and a later one does not save them', async () => {
    const disk = new Disk(smallHost(1));
    const file = disk.files.open('/tmp/f', 'w');
    disk.files.open('/tmp').sync('fsync');
    disk.failNext('sync', 'EIO', (path) => path === '/tmp/f');
    file.write(Buffer.from('lost'), 0);
    assert.throws(() => file.sync('fdatasync'), { code: 'EIO', syscall: 'fdatasync' });
    file.write(Buffer.from('kept'), 4);
    file.sync('fdatasync');
    assert.equal(`${disk.contentOf('/tmp/f')}`, 'lostkept');
    assert.equal(`${disk.files.store.model.durableTree.get('tmp/f')}`, '\0\0\0\0kept');
    // Bytes that were written again and synced are safe.
    file.write(Buffer.from('here'), 0);
    file.sync('fdatasync');
    disk.crash('power', new Random(3, 'cut'));
    assert.equal(`${disk.contentOf('/tmp/f')}`, 'herekept');
  });
});

describe('a power cut', () => {
  it('leaves a state that the rules allow, and the same one for the same seed', async () => {
    const left = new Set<string>();
    for (let seed = 1; seed <= 150; seed++) {
      const disk = await usedDisk(seed);
      const { model } = disk.files.store;
      const [before, twin] = [model.copy(), model.copy()];
      cutPower(model, new Random(seed, 'cut'));
      cutPower(twin, new Random(seed, 'cut'));
      assert.deepEqual([...twin.tree], [...model.tree], `seed ${seed}`);
      assert.equal(allowedBy(before, model.tree), undefined, `seed ${seed}`);
      assert.ok(model.isSettled);
      const isSame = (tree: typeof model.tree) =>
        JSON.stringify([...tree].map(String)) === JSON.stringify([...model.tree].map(String));
      left.add(isSame(before.tree) ? 'all' : isSame(before.durableTree) ? 'only what was synced' : 'a part');
    }
    assert.deepEqual([...left].sort(), ['a part', 'all', 'only what was synced']);
  });

  it('counts the room again', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const disk = await usedDisk(seed);
      disk.crash('power', new Random(seed, 'cut'));
      const used = disk.usedBytes;
      disk.files.store.recount();
      assert.equal(disk.usedBytes, used);
      const blocks = [...disk.sizes().values()].reduce((sum, bytes) => sum + Math.ceil(bytes / 4096), 0);
      const folders = [...disk.files.store.model.tree.values()].filter((content) => content === null).length;
      assert.equal(used, (blocks + folders) * 4096, `seed ${seed}`);
    }
  });
});

describe('the disk', () => {
  it('forgets files that were deleted, so that hours of use take no memory', async () => {
    const disk = new Disk(smallHost(1));
    const folder = disk.files.open('/tmp');
    const before = disk.usedBytes;
    for (let number = 0; number < 500; number++) {
      const file = disk.files.open(`/tmp/${number}`, 'w');
      file.write(Buffer.alloc(10_000), 0);
      file.sync('fdatasync');
      file.close();
      folder.sync('fsync');
      disk.files.unlink(`/tmp/${number}`);
    }
    assert.equal(disk.usedBytes, before);
    assert.ok(disk.files.store.model.nodes.size < 100, `${disk.files.store.model.nodes.size} nodes`);
  });

  it('flips one bit, which neither a read nor a power cut undoes', async () => {
    const disk = new Disk(smallHost(1));
    const content = Buffer.alloc(1000, 'x');
    disk.put('/data/deep/f', content);
    const { path, position, bit } =
      disk.flipBit(new Random(1, 'flip'), (one) => one.startsWith('/data/')) ?? {};
    assert.equal(path, '/data/deep/f');
    disk.crash('power', new Random(2, 'cut'));
    const after = disk.contentOf('/data/deep/f') ?? Buffer.alloc(0);
    const changed = [...after.keys()].filter((at) => after[at] !== content[at]);
    assert.deepEqual(changed, [position]);
    assert.equal((after[position ?? 0] ?? 0) ^ (content[position ?? 0] ?? 0), 1 << (bit ?? 0));
    assert.equal(disk.bytesUnder('/data'), 1000);
  });

  it('is as before once it is healed', () => {
    const disk = new Disk(smallHost(1));
    const room = disk.limitBytes;
    disk.fail('write', 'EIO', { times: Number.POSITIVE_INFINITY });
    disk.limitBytes = 0;
    disk.isReadOnly = true;
    assert.throws(() => disk.files.open('/tmp/f', 'w'), { code: 'EROFS' });
    disk.heal();
    assert.equal(disk.limitBytes, room);
    assert.equal(disk.files.open('/tmp/f', 'w').write(Buffer.from('x'), 0), 1);
  });
});
