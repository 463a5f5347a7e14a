// The version of the package, for --version and for the figures that name it.
import { readFileSync } from 'node:fs';

/** package.json is three levels above dist/src/config/package-version.js. */
export function packageVersion(): string {
  const file = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}
