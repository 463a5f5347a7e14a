// Holds the simulated disk to a real ext4: the same calls give the same results and errors, the tree after a power cut is one
// that the model allows, and a full disk behaves alike.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Disk } from '../../simulation/disk/disk.ts';
import { allowedBy } from '../../simulation/disk/power-cut.ts';
import { Random } from '../../simulation/world/random.ts';
import { readTree } from '../crash/trees.ts';
import { mount, temporaryDirectory, unmount } from '../spool/support.ts';
import { skipLoudly } from '../support/missing-tool.ts';
import { Player, type ScriptedCall } from './disk/calls.ts';
import { randomScript, WRITTEN, written } from './disk/scripts.ts';
import { smallHost } from './disk/small-host.ts';

const SEED = Number(process.env.SLUICE_DISK_SEED ?? Math.floor(Math.random() * 2 ** 31));
const RANDOM_SCRIPTS = 150;
const CALLS = 60;
const CUTS = 8;
/** More follow until one has taken something. */
const MAX_CUTS = 40;
const SCRIPTS_BEFORE_CUT = 8;

console.error(`disk: seed ${SEED} (SLUICE_DISK_SEED=${SEED} repeats it)`);

/** Makes and mounts an ext4. Undefined, and the test is skipped, if this machine does not allow it. */
function mountImage(t: TestContext, megabytes: number, options: readonly string[] = []) {
  const image = join(temporaryDirectory(t), 'disk');
  const isMade =
    spawnSync('truncate', ['-s', `${megabytes}M`, image]).status === 0 &&
    spawnSync('mkfs.ext4', ['-q', '-b', '4096', ...options, image]).status === 0;
  if (!isMade) {
    skipLoudly(t, 'mkfs.ext4 is missing');
    return undefined;
  }
  const directory = mount(t, ['-o', 'loop', image]);
  return directory === undefined ? undefined : { image, directory };
}

/** Plays the script on both disks, in their directory `name`. Each call must give the same. */
async function compare(
  script: readonly ScriptedCall[],
  { real, disk, folder, title }: { real: string; disk: Disk; folder: string; title: string },
): Promise<readonly Player[]> {
  mkdirSync(join(real, folder), { mode: 0o755 });
  disk.files.mkdir(`/${folder}`, 0o755);
  const players = [Player.real(join(real, folder)), Player.simulated(`/${folder}`, disk)] as const;
  for (const [index, call] of script.entries()) {
    const [expected, found] = [await players[0].play(call), await players[1].play(call)];
    assert.equal(
      found,
      expected,
      `${title}, call ${index}: ${JSON.stringify(call.step)} ${call.isSync ? 'sync' : ''}`,
    );
  }
  return players;
}

async function end(players: readonly Player[]): Promise<void> {
  for (const player of players) await player.end();
}

describe('the simulated disk and ext4', { concurrency: false }, () => {
  it('give the same results and errors', { timeout: 60_000 }, async (t) => {
    const mounted = mountImage(t, 64);
    if (mounted === undefined) return;
    const former = process.umask(0o022);
    t.after(() => process.umask(former));
    const { directory: real } = mounted;
    const disk = new Disk(smallHost(SEED));
    // A random script may have removed its own folder, on both disks then.
    const removeFolder = (name: string) => {
      if (!existsSync(join(real, name))) return;
      rmSync(join(real, name), { recursive: true });
      removeAll(disk, `/${name}`);
    };
    for (const name of Object.keys(WRITTEN)) {
      await end(await compare(written(name), { real, disk, folder: 'script', title: name }));
      removeFolder('script');
    }
    for (let number = 0; number < RANDOM_SCRIPTS; number++) {
      const script = randomScript(new Random(SEED, `script ${number}`), CALLS);
      const title = `seed ${SEED}, script ${number}`;
      await end(await compare(script, { real, disk, folder: 'script', title }));
      removeFolder('script');
    }
  });

  it('are left alike by a power cut', { timeout: 60_000 }, async (t) => {
    const random = new Random(SEED, 'cuts');
    let lost = 0;
    let cut = 0;
    for (; cut < CUTS || (lost === 0 && cut < MAX_CUTS); cut++) {
      const mounted = mountImage(t, 16);
      if (mounted === undefined) return;
      const { image, directory: real } = mounted;
      const disk = new Disk(smallHost(SEED + cut));
      const all: Player[] = [];
      for (let number = 0; number < SCRIPTS_BEFORE_CUT; number++) {
        const script = randomScript(new Random(SEED, `cut ${cut}, script ${number}`), random.between(5, 40));
        const title = `seed ${SEED}, cut ${cut}, script ${number}`;
        all.push(...(await compare(script, { real, disk, folder: `s${number}`, title })));
      }
      if (random.chance(0.2)) spawnSync('sync', ['-f', real]);
      const copy = `${image}.copy`;
      copyFileSync(image, copy);
      await end(all.filter((_, index) => index % 2 === 0));
      unmount(real);
      const after = mount(t, ['-o', 'loop', copy]);
      assert.ok(after !== undefined);
      const tree = new Map([...readTree(after)].filter(([path]) => !path.startsWith('lost+found')));
      unmount(after);
      const { model } = disk.files.store;
      const reason = allowedBy(model, tree, (path) => /^(?:dev|etc|proc|tmp)\b/.test(path));
      assert.equal(reason, undefined, `seed ${SEED}, cut ${cut}: ${reason}; there is ${[...tree.keys()]}`);
      if (tree.size < model.tree.size - 6) lost++;
    }
    console.error(`disk: ${cut} power cuts, ${lost} of which took files`);
    assert.ok(lost > 0, 'no power cut took anything, so this test shows nothing');
  });

  it('are full alike: a short write first, then none, and room again after a deletion', async (t) => {
    const mounted = mountImage(t, 8, ['-m', '0', '-O', '^has_journal']);
    if (mounted === undefined) return;
    const { bavail, bsize } = statfsSync(mounted.directory);
    const disk = new Disk(smallHost(SEED));
    disk.limitBytes = disk.usedBytes + bavail * bsize;
    const real = await fillUp(Player.real(mounted.directory));
    assert.deepEqual(await fillUp(Player.simulated('/tmp', disk)), real);
    assert.deepEqual(real.slice(0, 2), ['first: short', 'first: ENOSPC']);
  });
});

/** Fills a disk, and makes room in several ways. Says how each write went. */
async function fillUp(player: Player): Promise<string[]> {
  const story: string[] = [];
  const play = (step: ScriptedCall['step']) => player.play({ step, isSync: false });
  const chunk = Buffer.alloc(100_000, 'x');
  const fill = async (name: string, slot: number): Promise<void> => {
    for (;;) {
      const written = await play({ kind: 'write', slot, parts: [chunk], position: null });
      if (written === `${chunk.length}`) continue;
      const isShort = /^\d+$/.test(written);
      story.push(`${name}: ${isShort ? 'short' : (/ENOSPC/.exec(written)?.[0] ?? written)}`);
      if (!isShort) return;
    }
  };
  await play({ kind: 'open', slot: 0, path: 'small', flags: 'w' });
  await play({ kind: 'write', slot: 0, parts: [chunk, chunk, chunk], position: 0 });
  await play({ kind: 'open', slot: 1, path: 'first', flags: 'w' });
  await fill('first', 1);
  story.push(
    `mkdir: ${await play({ kind: 'mkdir', path: 'd', isDeep: false })}`.replace(/<root>|\/tmp/g, ''),
  );
  story.push(`create: ${await play({ kind: 'open', slot: 2, path: 'empty', flags: 'w' })}`);
  await fill('empty', 2);
  story.push(`cut: ${await play({ kind: 'truncate', slot: 1, bytes: 50_000 })}`);
  await fill('after a cut', 2);
  // An open file keeps its room until it is closed.
  story.push(`unlink: ${await play({ kind: 'unlink', path: 'small' })}`);
  await fill('unlinked and open', 2);
  await play({ kind: 'close', slot: 0 });
  await fill('closed', 2);
  await play({ kind: 'open', slot: 3, path: 'empty', flags: 'w' });
  await fill('emptied by open', 3);
  await player.end();
  return story;
}

function removeAll(disk: Disk, path: string): void {
  for (const entry of disk.files.readdir(path)) {
    if (entry.isDirectory()) removeAll(disk, `${path}/${entry.name}`);
    else disk.files.unlink(`${path}/${entry.name}`);
  }
  disk.files.rmdir(path);
}
