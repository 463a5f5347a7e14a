// rm() in the steps of Node: a directory is tried to be removed, and emptied only if it is not empty.
import { constants } from 'node:os';
import { join } from 'node:path';
import type { DiskOp } from './faults.ts';
import type { FileSystem } from './file-system.ts';

export interface RemoveOptions {
  readonly force?: boolean;
  readonly recursive?: boolean;
}

/** One call of the system. The next step depends on its result, so it must be done before the next is asked for. */
export interface Step {
  readonly op: DiskOp;
  readonly path: string;
  readonly work: () => void;
}

/** @throws in a step: the error of its call, ERR_FS_EISDIR for a directory without `recursive` */
export function* removal(
  files: FileSystem,
  path: string,
  { force = false, recursive = false }: RemoveOptions = {},
): Generator<Step> {
  let kind: 'missing' | 'file' | 'directory' = 'missing';
  yield {
    op: 'stat',
    path,
    work: () => {
      try {
        kind = files.stat(path, 'lstat').isDirectory() ? 'directory' : 'file';
      } catch (error) {
        if (!force || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
      if (kind === 'directory' && !recursive) throw isDirectoryError(path);
    },
  };
  if (kind !== ('missing' as string)) yield* removeAll(files, path, kind === ('directory' as string));
}

function* removeAll(files: FileSystem, path: string, isDirectory: boolean): Generator<Step> {
  if (!isDirectory) {
    yield { op: 'unlink', path, work: () => unlessMissing(() => files.unlink(path)) };
    return;
  }
  let isFull = false;
  const rmdir = (): void => {
    try {
      files.rmdir(path);
      isFull = false;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (isFull || !['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(code)) throw error;
      isFull = true;
    }
  };
  yield { op: 'rmdir', path, work: rmdir };
  if (!isFull) return;
  let entries: { readonly name: string; readonly isFolder: boolean }[] = [];
  yield {
    op: 'readdir',
    path,
    work: () => {
      entries = files.readdir(path).map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
    },
  };
  for (const { name, isFolder } of entries) yield* removeAll(files, join(path, name), isFolder);
  yield { op: 'rmdir', path, work: rmdir };
}

function unlessMissing(work: () => void): void {
  try {
    work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function isDirectoryError(path: string): Error {
  const errno = constants.errno.EISDIR;
  return Object.assign(new Error(`Path is a directory: rm returned EISDIR (is a directory) ${path}`), {
    name: 'SystemError',
    code: 'ERR_FS_EISDIR',
    errno,
    syscall: 'rm',
    path,
  });
}
