// Holds the files of the example consumer to the code and to this project.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

// From dist/test/examples/consumer.
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const FOLDER = join(ROOT, 'examples/consumer');
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8');
const README = read('README.md');

interface Package {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}
const packageOf = (file: string) => JSON.parse(read(file)) as Package;

test('the example consumer is tested with the versions that its package names', () => {
  const own = packageOf('package.json');
  const project = packageOf('../../package.json');
  const all = { ...project.devDependencies, ...project.optionalDependencies, ...project.dependencies };
  for (const [name, version] of Object.entries({ ...own.dependencies, ...own.devDependencies }))
    assert.equal(version, all[name], name);
  for (const name of ['pg', '@types/pg'])
    assert.ok(
      !(name in project.dependencies),
      `${name} is for the example and must not be in Sluice's package`,
    );
  const imports = readdirSync(join(FOLDER, 'src')).flatMap((file) => [
    ...read(`src/${file}`).matchAll(/(?:from|load<.*>\()\s*\(?'([a-z][\w-]*)'/g),
  ]);
  const packages = new Set(imports.map(([, name = '']) => name));
  assert.deepEqual([...packages].sort(), Object.keys(own.dependencies).sort());
});

test('the lock file of the example consumer fits its package and names no registry', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, Package & { readonly resolved?: string }>;
  };
  const own = packageOf('package.json');
  const { dependencies, devDependencies } = packages[''] ?? {};
  assert.deepEqual(
    { dependencies, devDependencies },
    { dependencies: own.dependencies, devDependencies: own.devDependencies },
  );
  for (const [path, { resolved }] of Object.entries(packages)) assert.equal(resolved, undefined, path);
});

test('the README of the example consumer names each variable, and no other', () => {
  const settings = read('src/settings.ts');
  const known = new Set([...settings.matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g)].map(([, name = '']) => name));
  const inTable = [...README.matchAll(/^\| (`[A-Z].*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name),
  );
  const named = new Set(inTable.map((name) => name.replace(/_FILE$/, '')));
  assert.deepEqual([...named].sort(), [...known].sort());
});

test('every link in the README of the example consumer leads somewhere, and every source file is in it', () => {
  const links = [...README.matchAll(/\]\(([^)#]+)/g)].map(([, link = '']) => link);
  for (const link of links) assert.ok(existsSync(normalize(join(FOLDER, link))), link);
  for (const file of readdirSync(join(FOLDER, 'src'))) assert.ok(links.includes(`src/${file}`), file);
});
