// Holds the files that name the version, and the form of CHANGELOG.md, to docs/releasing.md.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

// From dist/test/scripts.
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };
const PAGE = read('docs/releasing.md');
const TABLE = PAGE.slice(PAGE.indexOf('## Files with the version'));
const LISTED = [...TABLE.matchAll(/^\| `([^`]+)` \|/gm)].map(([, file = '']) => file);

/** Folders of files that name the version for people or tools. */
const FOLDERS = ['.', 'docs', 'deploy', '.github/workflows'];
/** Measurements and trials keep the name of their version. Generated contracts have that of package.json. */
const KEEP = [
  /^docs\/contracts\//,
  /^CHANGELOG\.md$/,
  /^docs\/(?:benchmarks|comparison|security|operating|upgrading|releasing|scaling)\.(?:md|json)$/,
];

function filesIn(folder: string): string[] {
  const recursive = folder !== '.';
  return readdirSync(join(ROOT, folder), { recursive, encoding: 'utf8' })
    .map((name) => (folder === '.' ? name : join(folder, name)))
    .filter((path) => /(?:\.(?:md|ya?ml|json)|(?:^|\/)Dockerfile)$/.test(path))
    .filter((path) => !path.startsWith('docs/decisions/') && statSync(join(ROOT, path)).isFile());
}

test('each file that docs/releasing.md lists names the version of package.json', () => {
  assert.ok(LISTED.length >= 6);
  for (const file of LISTED) assert.ok(read(file).includes(version), `${file} does not name ${version}`);
  const lock = JSON.parse(read('package-lock.json')) as {
    version: string;
    packages: Record<string, { version?: string }>;
  };
  assert.deepEqual([lock.version, lock.packages['']?.version], [version, version]);
  assert.match(read('Dockerfile'), new RegExp(`^ARG VERSION=${version.replaceAll('.', '\\.')}$`, 'm'));
  assert.match(read('deploy/helm/sluice/Chart.yaml'), new RegExp(`^appVersion: "${version}"$`, 'm'));
});

test('no other file names the version', () => {
  const named = new RegExp(`(?<![\\d.])${version.replaceAll('.', '\\.')}(?![\\d.]*\\d)`);
  const others = FOLDERS.flatMap(filesIn)
    .filter((file) => !LISTED.includes(file) && !KEEP.some((kept) => kept.test(file)))
    // A comment with an example is no version.
    .filter((file) => named.test(read(file).replace(/^\s*#.*$/gm, '')));
  assert.deepEqual(others, []);
});

test('CHANGELOG.md begins with Unreleased, and each version has its day and known sections', () => {
  const changelog = read('CHANGELOG.md');
  const [first, ...versions] = [...changelog.matchAll(/^## (.+)$/gm)].map(([, title = '']) => title);
  assert.equal(first, 'Unreleased');
  assert.ok(versions.length >= 1);
  for (const title of versions) assert.match(title, /^\d+\.\d+\.\d+(?:-[\w.]+)? \(\d{4}-\d\d-\d\d[^)]*\)$/);
  assert.ok(
    versions.some((title) => title.startsWith(`${version} `)),
    `no section of ${version}`,
  );
  const sections = [...changelog.matchAll(/^### (.+)$/gm)].map(([, title]) => title);
  const known = [
    'Before you upgrade',
    'Added',
    'Changed',
    'Fixed',
    'Removed',
    'Security',
    'For contributors',
  ];
  for (const title of sections) assert.ok(known.includes(title ?? ''), title);
});
