// Copies of the compiled project: one without a fault, from which all histories of a run are played although somebody may
// compile again meanwhile, and one for each mutant. What a mutant does not change is a hard link, so its copy takes next to
// no time and space.
import { copyFileSync, linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { asJs } from './compile.ts';
import type { Mutant } from './mutant.ts';

/** Everything that a simulation runs. */
const PARTS = ['src', 'simulation', 'load', 'test'].map((part) => join('dist', part));

/** @param folder is made, below `root`, so that packages are found */
export function copyTree(root: string, folder: string): void {
  for (const part of PARTS) putAll(join(root, part), join(folder, part), copyFileSync);
  // The program reads its version there.
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
}

/**
 * @param original a folder that copyTree() made
 * @param folder is made
 * @param code the JavaScript of the mutant's file
 */
export function makeTree(original: string, folder: string, { file }: Mutant, code: string): void {
  for (const part of PARTS) putAll(join(original, part), join(folder, part), linkOrCopy);
  copyFileSync(join(original, 'package.json'), join(folder, 'package.json'));
  const target = join(folder, 'dist', asJs(file));
  // The link first: writing to it would change the original.
  rmSync(target);
  writeFileSync(target, code);
}

function putAll(from: string, to: string, put: (source: string, target: string) => void): void {
  for (const entry of readdirSync(from, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || entry.name.endsWith('.map')) continue;
    const source = join(entry.parentPath, entry.name);
    const target = join(to, source.slice(from.length));
    mkdirSync(dirname(target), { recursive: true });
    put(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch {
    // Some file systems have no hard links.
    copyFileSync(source, target);
  }
}
