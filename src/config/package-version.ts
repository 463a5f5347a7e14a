// The version of the package, for --version and for the figures that name it.
import { readFileSync } from 'node:fs';
import { PACKAGE_ROOT } from './package-root.ts';

export function packageVersion(): string {
  const file = readFileSync(new URL('package.json', PACKAGE_ROOT), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}
