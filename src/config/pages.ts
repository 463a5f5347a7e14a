// The paths of the pages and example files of this installation. Texts name them, and they have to be found in a checkout, in
// an installed package and in a container alike.
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from './package-root.ts';

/**
 * The path of a file of this installation: relative if it lies below the working directory, else absolute.
 * @param name from the root, such as `docs/configuration.md`
 */
export function pathOfPage(name: string): string {
  const path = fileURLToPath(new URL(name, PACKAGE_ROOT));
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}
