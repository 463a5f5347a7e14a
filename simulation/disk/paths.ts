// Finds the file or directory of a path, with the errors that Linux gives on the way.

import { ROOT } from './disk-model.ts';
import { type Place, systemError } from './errors.ts';
import type { Store } from './store.ts';

export interface Found {
  /** The directory that holds the name. */
  readonly parent: number;
  /** Empty for the root. */
  readonly name: string;
  /** Undefined if there is no such name in the directory. */
  readonly node: number | undefined;
  /** The path ends in a slash, so it must be a directory. */
  readonly isFolderPath: boolean;
  /** The path ends in `.` or `..`, which is no name that can be given or taken away. */
  readonly isDots: boolean;
  readonly isTooLong: boolean;
}

const ORDINARY = { isFolderPath: false, isDots: false, isTooLong: false };
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4095;

/**
 * @param path absolute
 * @throws ENOENT or ENOTDIR for a directory on the way, ENAMETOOLONG
 */
export function find(store: Store, path: string, place: Place): Found {
  const found = findParent(store, path, place);
  if (found.isTooLong) throw systemError('ENAMETOOLONG', place);
  return found;
}

/** As find(), but the last name is not judged. */
export function findParent(store: Store, path: string, place: Place): Found {
  if (path === '') throw systemError('ENOENT', place);
  if (!path.startsWith('/')) throw new Error(`the simulated disk knows absolute paths only: ${path}`);
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw systemError('ENAMETOOLONG', place);
  const { model } = store;
  const names = path.split('/').filter((name) => name !== '');
  let found: Found = { parent: ROOT, name: '', node: ROOT, ...ORDINARY };
  const above: Found[] = [];
  for (const name of names) {
    const { node } = found;
    if (found.isTooLong) throw systemError('ENAMETOOLONG', place);
    if (node === undefined) throw systemError('ENOENT', place);
    if (!model.isDirectory(node)) throw systemError('ENOTDIR', place);
    if (name === '.') continue;
    if (name === '..') {
      found = above.pop() ?? found;
      continue;
    }
    const isTooLong = Buffer.byteLength(name) > MAX_NAME_BYTES;
    above.push(found);
    found = { parent: node, name, node: model.lookUp(node, name), ...ORDINARY, isTooLong };
  }
  return { ...found, isFolderPath: path.endsWith('/'), isDots: /\/\.\.?\/*$/.test(path) };
}

/** @throws ENOENT if there is nothing of that name, ENOTDIR for a file whose path ends in a slash, and as find() */
export function findExisting(store: Store, path: string, place: Place): Found & { readonly node: number } {
  const found = find(store, path, place);
  const { node } = found;
  if (node === undefined) throw systemError('ENOENT', place);
  if (found.isFolderPath && !store.model.isDirectory(node)) throw systemError('ENOTDIR', place);
  return { ...found, node };
}
