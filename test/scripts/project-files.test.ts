// Holds the files that GitHub and version managers read to package.json.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

// From dist/test/scripts.
const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string) => readFileSync(root + file, 'utf8');
const { scripts, engines } = JSON.parse(read('package.json')) as {
  scripts: Readonly<Record<string, string>>;
  engines: { node: string };
};
const workflows = readdirSync(`${root}.github/workflows`).map((name) => `.github/workflows/${name}`);

for (const file of [
  ...workflows,
  '.ci/run',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  '.github/PULL_REQUEST_TEMPLATE.md',
]) {
  test(`every npm script that ${file} names exists`, () => {
    const named = [...read(file).matchAll(/\bnpm (?:run ([a-z:-]+)|(test)\b)/g)].map(
      ([, run, test]) => run ?? test,
    );
    assert.ok(named.length > 0);
    for (const name of named) assert.ok(name !== undefined && name in scripts, name);
  });
}

test('every npm script is a job of scripts/run.mjs', () => {
  const jobs = read('scripts/run.mjs');
  for (const [name, command] of Object.entries(scripts)) {
    // `exec`, so that a signal to npm reaches the gateway, or the broker.
    const exec = name === 'start' || name === 'kafka' ? 'exec ' : '';
    assert.equal(command, `${exec}node scripts/run.mjs ${name}`);
    assert.match(jobs, new RegExp(`^  '?${name}'?[:,]`, 'm'), name);
  }
});

test('the recommended Node is the same for developers and the image, and CI has the oldest supported one', () => {
  const recommended = read('.nvmrc').trim();
  assert.ok(read('Dockerfile').includes(`FROM node:${recommended}.`));
  const oldest = /^\^(\d+)\./.exec(engines.node)?.[1];
  assert.match(read('.github/workflows/ci.yml'), new RegExp(`node: \\[${oldest}, .*${recommended}`));
});

test('every job of CI that runs tests first installs the programs that they call', () => {
  const jobs = read('.github/workflows/ci.yml').split(/^ {2}(?=[a-z]+:$)/m);
  const testing = jobs.filter((job) => /run: .*(?:npm run test:|npm test|\.ci\/run)/.test(job));
  assert.ok(testing.length >= 4);
  for (const job of testing)
    assert.match(job, /run: \.ci\/install\n.*run: npm (?:test|run test:)|run: .*\.ci\/run\n/s);
  assert.match(read('.ci/run'), /^\.ci\/install\n.*^exec npm test\n/ms);
});
