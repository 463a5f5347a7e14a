// Lists the files of a folder of a checkout.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of all files under `dir`, relative to `root`, with forward slashes. */
export function filesUnder(root, dir) {
  if (!existsSync(join(root, dir))) return [];
  return readdirSync(join(root, dir), { withFileTypes: true }).flatMap((entry) => {
    const path = `${dir}/${entry.name}`;
    // The example consumer is a package of its own, which somebody may have installed.
    if (entry.name === 'node_modules') return [];
    return entry.isDirectory() ? filesUnder(root, path) : [path];
  });
}
