// The calls of the system that have a path: what they do, and the errors that they give on Linux with ext4 to the user root.
// There are no symbolic links. Names and contents are durable by the rules of disk-model.ts.
import { constants } from 'node:fs';
import { normalize } from 'node:path';
import { ROOT } from './disk-model.ts';
import { systemError } from './errors.ts';
import type { DiskOp } from './faults.ts';
import { OpenFile } from './open-file.ts';
import { type Found, find, findExisting, findParent } from './paths.ts';
import { SimDirent, type SimStats, type SimStatsFs, spaceOf, statsOf } from './stats.ts';
import type { Store } from './store.ts';

const { O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_WRONLY, O_RDWR, O_DIRECTORY, O_SYNC } = constants;
const UMASK = 0o022;
const BITS: Readonly<Record<string, number>> = {
  r: 0,
  rs: O_SYNC,
  'r+': O_RDWR,
  w: O_WRONLY | O_CREAT | O_TRUNC,
  wx: O_WRONLY | O_CREAT | O_TRUNC | O_EXCL,
  'w+': O_RDWR | O_CREAT | O_TRUNC,
  'wx+': O_RDWR | O_CREAT | O_TRUNC | O_EXCL,
  a: O_WRONLY | O_CREAT | O_APPEND,
  ax: O_WRONLY | O_CREAT | O_APPEND | O_EXCL,
  'a+': O_RDWR | O_CREAT | O_APPEND,
  'ax+': O_RDWR | O_CREAT | O_APPEND | O_EXCL,
};

export class FileSystem {
  readonly store: Store;
  readonly #nullNode: number;

  constructor(store: Store) {
    this.store = store;
    for (const folder of ['/dev', '/etc', '/proc', '/proc/self', '/tmp']) this.mkdir(folder, 0o755);
    this.#nullNode = this.open('/dev/null', 'w', 0o666).node;
    store.model.settle();
  }

  open(path: string, flags: string | number = 'r', mode = 0o666): OpenFile {
    const place = this.#begin('open', 'open', path);
    const bits = typeof flags === 'number' ? flags : BITS[flags];
    if (bits === undefined) throw new Error(`unknown flags of open: ${flags}`);
    const found = find(this.store, path, place);
    const isWriting = (bits & (O_WRONLY | O_RDWR)) !== 0;
    const isMaking = (bits & O_CREAT) !== 0;
    if (isMaking && found.isFolderPath) throw systemError('EISDIR', place);
    if (found.node === undefined) {
      if (!isMaking) throw systemError('ENOENT', place);
      const node = this.#make('create', found, { mode, path, place });
      return new OpenFile(this.store, { node, path, flags: bits, isNull: false });
    }
    const { node } = found;
    if (isMaking && (bits & O_EXCL) !== 0) throw systemError('EEXIST', place);
    const isDirectory = this.store.model.isDirectory(node);
    if (isDirectory && (isWriting || isMaking)) throw systemError('EISDIR', place);
    if (!isDirectory && ((bits & O_DIRECTORY) !== 0 || found.isFolderPath))
      throw systemError('ENOTDIR', place);
    if (isWriting && this.store.isReadOnly) throw systemError('EROFS', place);
    const isNull = node === this.#nullNode;
    if ((bits & O_TRUNC) !== 0 && isWriting && !isNull) this.#empty(node, path);
    return new OpenFile(this.store, { node, path, flags: bits, isNull });
  }

  mkdir(path: string, mode = 0o777): void {
    const place = this.#begin('mkdir', 'mkdir', path);
    this.#makeFolder(path, mode, place);
  }

  /**
   * Makes the directory, and those on the way that are missing. An error names the whole path.
   * @returns the first that was made
   */
  mkdirs(path: string, mode = 0o777): string | undefined {
    const place = this.#begin('mkdir', 'mkdir', path);
    const full = this.normal(path);
    const names = full.split('/').slice(1);
    const folders = names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
    const missing = folders.filter((folder) => !this.exists(folder));
    if (missing.length === 0 && this.store.model.isDirectory(this.nodeOf(full))) return undefined;
    for (const folder of missing.length === 0 ? [full] : missing) this.#makeFolder(folder, mode, place);
    return missing[0];
  }

  unlink(path: string): void {
    const place = this.#begin('unlink', 'unlink', path);
    const { parent, name, node } = findExisting(this.store, path, place);
    if (this.store.model.isDirectory(node)) throw systemError('EISDIR', place);
    this.#requireWritable(place);
    this.store.apply({ kind: 'unlink', parent, name }, `unlink ${path}`);
    this.store.touch(parent);
    this.store.named(node, -1);
  }

  rmdir(path: string): void {
    const place = this.#begin('rmdir', 'rmdir', path);
    const { parent, name, node, isDots } = findExisting(this.store, path, place);
    if (isDots) throw systemError(/\.\.\/*$/.test(path) ? 'ENOTEMPTY' : 'EINVAL', place);
    if (!this.store.model.isDirectory(node)) throw systemError('ENOTDIR', place);
    if (this.store.model.namesIn(node).length > 0) throw systemError('ENOTEMPTY', place);
    if (name === '') throw systemError('EBUSY', place);
    this.#requireWritable(place);
    this.store.apply({ kind: 'rmdir', parent, name }, `rmdir ${path}`);
    this.store.touch(parent);
    this.store.named(node, -1);
  }

  rename(path: string, to: string): void {
    const place = { ...this.#begin('rename', 'rename', path), to };
    // Both directories are looked up before the names in them.
    const [source, target] = [findParent(this.store, path, place), findParent(this.store, to, place)];
    if (source.isDots || target.isDots) throw systemError('EBUSY', place);
    if (source.isTooLong) throw systemError('ENAMETOOLONG', place);
    const { model } = this.store;
    const from = { ...source, node: source.node ?? -1 };
    if (!model.has(from.node)) throw systemError('ENOENT', place);
    if (target.isTooLong) throw systemError('ENAMETOOLONG', place);
    const isDirectory = model.isDirectory(from.node);
    if (!isDirectory && (source.isFolderPath || target.isFolderPath)) throw systemError('ENOTDIR', place);
    if (isDirectory && this.#isInside(target.parent, from.node)) throw systemError('EINVAL', place);
    if (target.node === from.node) return;
    if (target.node !== undefined) {
      const isOverDirectory = model.isDirectory(target.node);
      if (isOverDirectory && this.#isInside(from.parent, target.node)) throw systemError('ENOTEMPTY', place);
      if (isDirectory && !isOverDirectory) throw systemError('ENOTDIR', place);
      if (!isDirectory && isOverDirectory) throw systemError('EISDIR', place);
      if (isOverDirectory && model.namesIn(target.node).length > 0) throw systemError('ENOTEMPTY', place);
    }
    this.#requireWritable(place);
    this.store.apply(
      {
        kind: 'rename',
        parent: from.parent,
        name: from.name,
        newParent: target.parent,
        newName: target.name,
      },
      `rename ${path} to ${to}`,
    );
    for (const parent of [from.parent, target.parent]) this.store.touch(parent);
    if (target.node !== undefined) this.store.named(target.node, -1);
  }

  /** The entries of a directory, in no useful order, as ext4 gives them. */
  readdir(path: string): SimDirent[] {
    const place = this.#begin('readdir', 'scandir', path);
    const { node } = findExisting(this.store, path, place);
    const { model } = this.store;
    if (!model.isDirectory(node)) throw systemError('ENOTDIR', place);
    return [...model.directory(node).current]
      .map(([name, child]) => ({
        entry: new SimDirent(name, path, model.isDirectory(child)),
        hash: hashOf(name),
      }))
      .sort((a, b) => a.hash - b.hash)
      .map(({ entry }) => entry);
  }

  /** @param syscall `stat` or `lstat`, for the error */
  stat(path: string, syscall = 'stat'): SimStats {
    const { node } = findExisting(this.store, path, this.#begin('stat', syscall, path));
    return statsOf(this.store, node, node === this.#nullNode);
  }

  statfs(path: string): SimStatsFs {
    findExisting(this.store, path, this.#begin('statfs', 'statfs', path));
    return spaceOf(this.store);
  }

  /** The user root may do anything, but write to a disk that is mounted read-only, and run a file that nobody may run. */
  access(path: string, mode: number): void {
    const place = this.#begin('stat', 'access', path);
    const { node } = findExisting(this.store, path, place);
    if ((mode & constants.W_OK) !== 0) this.#requireWritable(place);
    const isRunnable = this.store.model.isDirectory(node) || (this.store.meta(node).mode & 0o111) !== 0;
    if ((mode & constants.X_OK) !== 0 && !isRunnable) throw systemError('EACCES', place);
  }

  chmod(path: string, mode: number): void {
    const place = this.#begin('chmod', 'chmod', path);
    const { node } = findExisting(this.store, path, place);
    this.#requireWritable(place);
    const meta = this.store.meta(node);
    meta.mode = mode;
    meta.ctimeMs = this.store.nowMs;
  }

  readlink(path: string): never {
    const place = this.#begin('stat', 'readlink', path);
    findExisting(this.store, path, place);
    throw systemError('EINVAL', place);
  }

  realpath(path: string): string {
    findExisting(this.store, path, this.#begin('stat', 'realpath', path));
    return this.normal(path);
  }

  /** The path without `.`, `..` and slashes at the end. */
  normal(path: string): string {
    return normalize(path).replace(/(?<=.)\/$/, '');
  }

  /** Whether anything has this path. It meets no fault. */
  exists(path: string): boolean {
    try {
      return find(this.store, path, { syscall: 'access', path }).node !== undefined;
    } catch {
      return false;
    }
  }

  /** @throws ENOENT; it meets no other fault */
  nodeOf(path: string): number {
    return findExisting(this.store, path, { syscall: 'stat', path }).node;
  }

  /** Every file that has a name, with its path, by name. */
  *list(
    node = ROOT,
    folder = '',
  ): Generator<{ readonly path: string; readonly node: number; readonly bytes: number }> {
    const { model } = this.store;
    for (const [name, child] of [...model.directory(node).current].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const path = `${folder}/${name}`;
      if (model.isDirectory(child)) yield* this.list(child, path);
      else yield { path, node: child, bytes: model.sizeOf(child) };
    }
  }

  #begin(op: DiskOp, syscall: string, path: string): { readonly syscall: string; readonly path: string } {
    const place = { syscall, path };
    this.store.faults.check(op, place);
    return place;
  }

  #requireWritable(place: { readonly syscall: string; readonly path: string }): void {
    if (this.store.isReadOnly) throw systemError('EROFS', place);
  }

  #makeFolder(path: string, mode: number, place: { readonly syscall: string; readonly path: string }): void {
    const found = find(this.store, path, place);
    if (found.node !== undefined) throw systemError('EEXIST', place);
    this.#make('mkdir', found, { mode, path, place });
  }

  #make(
    kind: 'create' | 'mkdir',
    { parent, name }: Found,
    { mode, path, place }: { mode: number; path: string; place: { syscall: string; path: string } },
  ): number {
    this.#requireWritable(place);
    const node = this.store.add(mode & 0o7777 & ~UMASK);
    this.store.apply({ kind, parent, name, node }, `${kind} ${path}`);
    this.store.touch(parent);
    this.store.named(node, 1);
    return node;
  }

  #empty(node: number, path: string): void {
    const size = this.store.model.sizeOf(node);
    if (size === 0) return;
    this.store.apply({ kind: 'truncate', node, length: 0 }, `truncate ${path} to 0`);
    this.store.resized(size, 0);
    this.store.touch(node);
  }

  /** Whether the directory is the other one, or below it. */
  #isInside(directory: number, other: number): boolean {
    if (directory === other) return true;
    const { model } = this.store;
    return [...model.directory(other).current.values()].some(
      (child) => model.isDirectory(child) && this.#isInside(directory, child),
    );
  }
}

/** FNV-1a. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
