// Reads directories as values, writes them to the real disk, and gives them keys by their content.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Tree } from '../../simulation/disk/disk-model.ts';

export function readTree(root: string): Tree {
  const tree = new Map<string, Buffer | null>();
  const visit = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const path = join(directory, entry.name);
      tree.set(relative(root, path), entry.isDirectory() ? null : readFileSync(path));
      if (entry.isDirectory()) visit(path);
    }
  };
  visit(root);
  return tree;
}

/** Writes the tree into a directory that is empty or missing, with the modes of a spool. */
export function writeTree(root: string, tree: Tree): void {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  for (const [path, content] of tree) {
    if (content === null) mkdirSync(join(root, path), 0o700);
    else writeFileSync(join(root, path), content, { mode: 0o600 });
  }
}

const hashes = new WeakMap<Buffer, string>();

/** Equal trees have equal keys. @param isUnread files whose bytes do not matter */
export function treeKey(tree: Tree, isUnread: (path: string) => boolean = () => false): string {
  const hash = createHash('sha1');
  for (const [path, content] of tree) hash.update(`${path} ${isUnread(path) ? '' : contentKey(content)}\n`);
  return hash.digest('base64');
}

// Cached, because many trees share their buffers.
function contentKey(content: Buffer | null): string {
  if (content === null) return 'directory';
  const known = hashes.get(content);
  if (known !== undefined) return known;
  const key = createHash('sha1').update(content).digest('base64');
  hashes.set(content, key);
  return key;
}
