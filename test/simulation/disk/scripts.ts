// Scripts of file calls: random ones from a seed, and written ones for each error of the system that the gateway tells apart.
import { constants } from 'node:fs';
import type { Random } from '../../../simulation/world/random.ts';
import type { ScriptedCall, Step } from './calls.ts';

const NAMES = ['a', 'b', 'c'];
const SLOTS = 4;
const FLAGS = ['r', 'r', 'r+', 'w', 'w', 'w+', 'wx', 'a', 'a+', constants.O_RDWR | constants.O_CREAT];
/** Paths that are not as one writes them. */
const ODD = ['a/', 'a/.', 'a/../b', 'b/c/..', './a', 'x'.repeat(256), '', 'missing/a', 'a//b'];

/** A script of calls, most of which succeed. */
export function randomScript(random: Random, calls: number): ScriptedCall[] {
  return Array.from({ length: calls }, () => ({ step: randomStep(random), isSync: random.chance(0.4) }));
}

function randomStep(random: Random): Step {
  const path = pathOf(random);
  const slot = random.between(0, SLOTS - 1);
  const position = random.chance(0.5) ? null : random.between(0, 3000);
  const draw = random.next();
  if (draw < 0.16) return { kind: 'open', slot, path, flags: random.pick(FLAGS) };
  if (draw < 0.38) return { kind: 'write', slot, parts: partsOf(random), position };
  if (draw < 0.44) return { kind: random.pick(['sync', 'datasync'] as const), slot };
  if (draw < 0.48) return { kind: 'read', slot, bytes: random.between(0, 3000), position };
  if (draw < 0.52) return { kind: 'truncate', slot, bytes: random.between(0, 3000) };
  if (draw < 0.58) return { kind: 'close', slot };
  if (draw < 0.6) return { kind: 'fstat', slot };
  if (draw < 0.7) {
    // Node takes odd paths apart by itself.
    const isDeep = !ODD.includes(path) && random.chance(0.3);
    return { kind: 'mkdir', path, isDeep };
  }
  if (draw < 0.78) return { kind: 'rename', path, to: pathOf(random) };
  if (draw < 0.8) return { kind: 'rm', path, isDeep: random.chance(0.6) };
  if (draw < 0.84) return { kind: 'syncFolder', path: random.pick(['', ...NAMES]) };
  if (draw < 0.85) return { kind: 'chmod', path, mode: random.pick([0o600, 0o644, 0o700, 0o1777]) };
  const kinds = ['unlink', 'unlink', 'rmdir', 'readdir', 'stat', 'lstat', 'readFile', 'access'] as const;
  return { kind: random.pick([...kinds, 'realpath', 'statfs'] as const), path };
}

function pathOf(random: Random): string {
  if (random.chance(0.04)) return random.pick(ODD);
  const depth = random.pick([1, 1, 1, 2, 2, 3]);
  return Array.from({ length: depth }, () => random.pick(NAMES)).join('/');
}

function partsOf(random: Random): Buffer[] {
  const parts = random.pick([1, 1, 2, 3]);
  return Array.from({ length: parts }, () =>
    Buffer.alloc(random.pick([1, 7, 64, 500, 2000]), random.pick([...'ABCDEFGH'])),
  );
}

const call = (step: Step, isSync = false): ScriptedCall => ({ step, isSync });
/** With the promise and the synchronous function. */
const both = (step: Step): ScriptedCall[] => [call(step), call(step, true)];
const bytes = (text: string): Buffer[] => [Buffer.from(text)];

/** A file `f` and a directory `d` with the file `x` in it. */
const SCENE: readonly ScriptedCall[] = [
  call({ kind: 'open', slot: 0, path: 'f', flags: 'w' }),
  call({ kind: 'write', slot: 0, parts: bytes('hello'), position: 0 }),
  call({ kind: 'close', slot: 0 }),
  call({ kind: 'mkdir', path: 'd', isDeep: false }),
  call({ kind: 'open', slot: 0, path: 'd/x', flags: 'w' }),
  call({ kind: 'close', slot: 0 }),
];

/** Each begins with the scene. */
export const WRITTEN: Readonly<Record<string, readonly ScriptedCall[]>> = {
  'ENOENT: a file, a directory on the way, an empty path': [
    ...(['readFile', 'unlink', 'rmdir', 'readdir', 'stat', 'access', 'realpath', 'statfs'] as const).flatMap(
      (kind) => [...both({ kind, path: 'n' }), ...both({ kind, path: 'n/m' })],
    ),
    ...both({ kind: 'open', slot: 1, path: 'n/m', flags: 'w' }),
    ...both({ kind: 'rename', path: 'n', to: 'm' }),
    ...both({ kind: 'rename', path: 'f', to: 'n/m' }),
    ...both({ kind: 'rm', path: 'n', isDeep: false }),
    ...both({ kind: 'rm', path: 'n', isDeep: true }),
    ...both({ kind: 'lstat', path: 'n' }),
  ],
  'ENOTDIR: a file on the way, or with a slash behind it': [
    ...(['readFile', 'unlink', 'rmdir', 'readdir', 'stat', 'lstat', 'access'] as const).flatMap((kind) => [
      ...both({ kind, path: 'f/n' }),
      ...both({ kind, path: 'f/' }),
    ]),
    ...both({ kind: 'open', slot: 1, path: 'f/n', flags: 'w' }),
    ...both({ kind: 'mkdir', path: 'f/n', isDeep: true }),
    ...both({ kind: 'mkdir', path: 'f/n/m', isDeep: true }),
    ...both({ kind: 'mkdir', path: 'f/n', isDeep: false }),
    ...both({ kind: 'rename', path: 'd', to: 'f' }),
    ...both({ kind: 'rename', path: 'f', to: 'n/' }),
    ...both({ kind: 'rmdir', path: 'f' }),
    ...both({ kind: 'rm', path: 'f/n', isDeep: true }),
  ],
  'EISDIR: a directory that is written, read, deleted or replaced by a file': [
    ...['w', 'r+', 'a', 'wx'].flatMap((flags) => both({ kind: 'open', slot: 1, path: 'd', flags })),
    ...both({ kind: 'open', slot: 1, path: 'new/', flags: 'w' }),
    ...both({ kind: 'readFile', path: 'd' }),
    ...both({ kind: 'unlink', path: 'd' }),
    ...both({ kind: 'rename', path: 'f', to: 'd' }),
    ...both({ kind: 'rm', path: 'd', isDeep: false }),
    call({ kind: 'open', slot: 1, path: 'd', flags: 'r' }),
    call({ kind: 'read', slot: 1, bytes: 1, position: 0 }),
    call({ kind: 'write', slot: 1, parts: bytes('x'), position: 0 }),
    call({ kind: 'truncate', slot: 1, bytes: 0 }),
    call({ kind: 'sync', slot: 1 }),
    call({ kind: 'datasync', slot: 1 }),
  ],
  'EEXIST and ENOTEMPTY': [
    ...both({ kind: 'open', slot: 1, path: 'f', flags: 'wx' }),
    ...both({ kind: 'mkdir', path: 'd', isDeep: false }),
    ...both({ kind: 'mkdir', path: 'd', isDeep: true }),
    ...both({ kind: 'mkdir', path: 'f', isDeep: false }),
    ...both({ kind: 'mkdir', path: 'f', isDeep: true }),
    ...both({ kind: 'mkdir', path: 'd/', isDeep: false }),
    ...both({ kind: 'rmdir', path: 'd' }),
    call({ kind: 'mkdir', path: 'e', isDeep: false }),
    ...both({ kind: 'rename', path: 'e', to: 'd' }),
    ...both({ kind: 'rename', path: 'd', to: 'e' }),
    call({ kind: 'readdir', path: 'e' }),
  ],
  'EINVAL: a directory into itself, a cut of a file that is only read': [
    ...both({ kind: 'rename', path: 'd', to: 'd/e' }),
    ...both({ kind: 'rmdir', path: 'd/.' }),
    call({ kind: 'open', slot: 1, path: 'f', flags: 'r' }),
    call({ kind: 'truncate', slot: 1, bytes: 1 }),
    call({ kind: 'open', slot: 2, path: 'f', flags: 'r' }, true),
    call({ kind: 'truncate', slot: 2, bytes: 1 }, true),
  ],
  'EBADF: the wrong mode': [
    call({ kind: 'open', slot: 1, path: 'f', flags: 'r' }),
    call({ kind: 'write', slot: 1, parts: bytes('x'), position: 0 }),
    call({ kind: 'datasync', slot: 1 }),
    call({ kind: 'open', slot: 2, path: 'f', flags: 'a' }, true),
    call({ kind: 'read', slot: 2, bytes: 1, position: 0 }, true),
    call({ kind: 'open', slot: 3, path: 'f', flags: 'r' }, true),
    call({ kind: 'write', slot: 3, parts: bytes('x'), position: null }, true),
  ],
  'ENAMETOOLONG: a name of 256 bytes, and a path of 4096': [
    ...both({ kind: 'open', slot: 1, path: 'n'.repeat(256), flags: 'w' }),
    ...both({ kind: 'open', slot: 1, path: 'n'.repeat(255), flags: 'w' }),
    ...both({ kind: 'mkdir', path: 'é'.repeat(128), isDeep: false }),
    ...both({ kind: 'stat', path: `${'./'.repeat(2100)}f` }),
  ],
  'an unlinked file that is open keeps its content': [
    call({ kind: 'open', slot: 1, path: 'f', flags: 'r+' }),
    call({ kind: 'unlink', path: 'f' }),
    call({ kind: 'fstat', slot: 1 }),
    call({ kind: 'write', slot: 1, parts: bytes('there'), position: 5 }),
    call({ kind: 'read', slot: 1, bytes: 20, position: 0 }),
    call({ kind: 'datasync', slot: 1 }),
    call({ kind: 'open', slot: 2, path: 'f', flags: 'w' }),
    call({ kind: 'write', slot: 2, parts: bytes('new'), position: 0 }),
    call({ kind: 'read', slot: 1, bytes: 20, position: 0 }),
    call({ kind: 'close', slot: 1 }),
    call({ kind: 'readFile', path: 'f' }),
  ],
  'a file that is replaced by a rename keeps its content for those who have it open': [
    call({ kind: 'open', slot: 1, path: 'f', flags: 'r' }),
    call({ kind: 'rename', path: 'd/x', to: 'f' }),
    call({ kind: 'read', slot: 1, bytes: 20, position: 0 }),
    call({ kind: 'fstat', slot: 1 }),
    call({ kind: 'stat', path: 'f' }),
    call({ kind: 'readdir', path: 'd' }),
    call({ kind: 'rmdir', path: 'd' }),
    call({ kind: 'readdir', path: '' }),
  ],
  'holes, cuts and positions': [
    call({ kind: 'open', slot: 1, path: 'f', flags: 'r+' }),
    call({ kind: 'truncate', slot: 1, bytes: 2 }),
    call({ kind: 'write', slot: 1, parts: bytes('far'), position: 9 }),
    call({ kind: 'read', slot: 1, bytes: 20, position: null }),
    call({ kind: 'write', slot: 1, parts: [...bytes('two'), ...bytes('parts')], position: null }),
    call({ kind: 'truncate', slot: 1, bytes: 40 }),
    call({ kind: 'read', slot: 1, bytes: 50, position: 0 }),
    call({ kind: 'open', slot: 2, path: 'f', flags: 'a+' }),
    call({ kind: 'write', slot: 2, parts: bytes('end'), position: 0 }),
    call({ kind: 'read', slot: 2, bytes: 50, position: null }),
    call({ kind: 'readFile', path: 'f' }),
  ],
};

export function written(name: string): readonly ScriptedCall[] {
  return [...SCENE, ...(WRITTEN[name] ?? [])];
}
