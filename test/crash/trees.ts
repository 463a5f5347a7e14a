// Directories with all they hold as values: read, laid out on the real disk, and named by their content.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Tree } from './disk-model.ts';

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

/** Lays the tree out in a directory that is empty, or not there yet. Only the owner may read it, as a spool has it. */
export function writeTree(root: string, tree: Tree): void {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  for (const [path, content] of tree) {
    if (content === null) mkdirSync(join(root, path), 0o700);
    else writeFileSync(join(root, path), content, { mode: 0o600 });
  }
}

const hashes = new WeakMap<Buffer, string>();

/** The same for trees that are byte by byte the same. @param isUnread files whose bytes do not matter */
export function treeKey(tree: Tree, isUnread: (path: string) => boolean = () => false): string {
  const hash = createHash('sha1');
  for (const [path, content] of tree) hash.update(`${path} ${isUnread(path) ? '' : contentKey(content)}\n`);
  return hash.digest('base64');
}

// The same bytes are in many trees.
function contentKey(content: Buffer | null): string {
  if (content === null) return 'directory';
  const known = hashes.get(content);
  if (known !== undefined) return known;
  const key = createHash('sha1').update(content).digest('base64');
  hashes.set(content, key);
  return key;
}
