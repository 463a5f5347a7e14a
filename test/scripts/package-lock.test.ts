// Holds package-lock.json to what `npm ci` needs on every platform.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

interface LockedPackage {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

// From dist/test/scripts.
const lockFile = new URL('../../../package-lock.json', import.meta.url);
const { packages } = JSON.parse(readFileSync(lockFile, 'utf8')) as {
  packages: Readonly<Record<string, LockedPackage>>;
};

// npm leaves out the packages of other platforms if node_modules exists when it writes the lock file. Then
// `npm ci` fails. Remedy: rm -rf node_modules && npm install --package-lock-only
test('the lock file lists the optional packages of every platform', () => {
  const missing = Object.values(packages)
    .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
    .filter((name) => !(`node_modules/${name}` in packages));
  assert.deepEqual(missing, []);
});

test('the lock file names no registry and has a checksum for each package', () => {
  for (const [path, { resolved, integrity }] of Object.entries(packages)) {
    assert.equal(resolved, undefined, path);
    if (path !== '') assert.match(integrity ?? '', /^sha512-/, path);
  }
});
