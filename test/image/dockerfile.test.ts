// The text of the Dockerfile and of .dockerignore, and the reader of them that the test of the image builds on.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../support/directory.ts';
import { type Instruction, pairsOf, parseDockerfile, replaceVariables, wordsOf } from './dockerfile.ts';
import { contextFiles } from './ignore.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const project = JSON.parse(read('package.json')) as {
  version: string;
  license: string;
  description: string;
  repository: { url: string };
};
const { stages } = parseDockerfile(read('Dockerfile'));
const last: readonly Instruction[] = stages.at(-1)?.instructions ?? [];
const only = (name: string) => {
  const found = last.filter((instruction) => instruction.name === name);
  assert.equal(found.length, 1, name);
  return found[0]?.text ?? '';
};

test('every base of the image is one exact version, the same in each stage', () => {
  const bases = stages.map(({ from }) => from.text.split(' ')[0] ?? '').filter((base) => base !== 'scratch');
  assert.equal(new Set(bases).size, 1, bases.join(', '));
  assert.match(bases[0] ?? '', /^node:\d+\.\d+\.\d+-[a-z]+-slim$/);
});

test('the labels of the image are those of package.json', () => {
  const declared = last.filter(({ name }) => name === 'ARG').flatMap(pairsOf);
  const values = Object.fromEntries(declared.map(([name, value]) => [name, value ?? '']));
  const label = Object.fromEntries(
    last
      .filter(({ name }) => name === 'LABEL')
      .flatMap(pairsOf)
      .map(([name, value = '']) => [
        name.replace('org.opencontainers.image.', ''),
        replaceVariables(value, values),
      ]),
  );
  const source = project.repository.url.replace(/^git\+|\.git$/g, '');
  assert.deepEqual(label, {
    title: 'sluice',
    description: project.description,
    licenses: project.license,
    source,
    documentation: `${source}/blob/main/docs/deployment.md`,
    version: project.version,
    revision: 'unknown',
    created: '1970-01-01T00:00:00Z',
  });
});

test('the image runs as a numeric user that is not root, and node is PID 1', () => {
  assert.match(only('USER'), /^[1-9]\d*:[1-9]\d*$/);
  assert.deepEqual(wordsOf(only('ENTRYPOINT')), ['node', '/app/dist/src/main.js']);
  assert.ok(last.every(({ name }) => name !== 'CMD'));
  assert.equal(only('STOPSIGNAL'), 'SIGTERM');
  assert.equal(only('HEALTHCHECK'), 'CMD ["sluice", "probe"]');
  assert.equal(only('VOLUME'), '/var/lib/sluice');
  assert.equal(only('EXPOSE'), '8080 8443 9108');
});

test('an instruction or an option that the test cannot play is refused', () => {
  assert.throws(() => parseDockerfile('FROM scratch\nADD a b\n'), /line 2: unknown instruction ADD/);
  assert.throws(() => parseDockerfile('FROM scratch\n\nCOPY --link a b\n'), /line 3: COPY cannot be read/);
  assert.throws(
    () => parseDockerfile('FROM scratch\nCOPY --chmod=1 a b\n'),
    /line 2: unknown option --chmod/,
  );
  assert.throws(() => parseDockerfile('USER 1\n'), /line 1: USER before FROM/);
  assert.throws(() => parseDockerfile('FROM scratch\nRUN\n'), /line 2: RUN cannot be read/);
});

test('continued lines, comments between them, variables and lists are read as Docker reads them', () => {
  const text =
    'ARG V=1\nFROM a:$V AS b\nRUN one; \\\n  # why\n\n  two\nENV A="x y" B=z\nCOPY --from=b --chown=1:2 /c /d\n';
  const { globals, stages: read } = parseDockerfile(text);
  assert.deepEqual(globals.flatMap(pairsOf), [['V', '1']]);
  assert.deepEqual(
    read.map(({ name, from }) => [name, replaceVariables(from.text, { V: '1' })]),
    [['b', 'a:1 AS b']],
  );
  const [run, env, copy] = read[0]?.instructions ?? [];
  assert.equal(run?.text, 'one;   two');
  assert.deepEqual(env && pairsOf(env), [
    ['A', 'x y'],
    ['B', 'z'],
  ]);
  assert.deepEqual([copy?.options, copy?.text, copy?.line], [{ from: 'b', chown: '1:2' }, '/c /d', 8]);
  assert.equal(replaceVariables('$A-$B-$' + '{C:-d}-$' + '{A:-e}', { A: '1' }), '1--d-1');
});

test('the last rule of .dockerignore that fits a path or a folder above it wins', (t) => {
  const folder = temporaryDirectory(t);
  for (const path of [
    'a.md',
    'src/b.ts',
    'src/deep/c.ts',
    'docs/d.md',
    'docs/deep/e.md',
    'node_modules/f.js',
  ]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), '');
  }
  assert.deepEqual(contextFiles(folder, '*\n!src\n!docs/*.md\n'), ['docs/d.md', 'src/b.ts', 'src/deep/c.ts']);
  assert.deepEqual(contextFiles(folder, 'src/deep\n**/*.md\n!a.md\n'), ['a.md', 'src/b.ts']);
  assert.deepEqual(contextFiles(folder, '# nothing\n').length, 5);
});

test('no test and no tool of this project reaches the build', () => {
  const folders = new Set(contextFiles(ROOT, read('.dockerignore')).map((path) => path.split('/')[0]));
  for (const folder of [
    'test',
    'bench',
    'simulation',
    'conformance',
    'examples',
    'dist',
    '.cache',
    '.github',
  ])
    assert.ok(!folders.has(folder), folder);
  assert.ok(folders.has('src'));
});
