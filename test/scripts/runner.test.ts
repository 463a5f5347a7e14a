// The runner of the tests: a file that fails beside others runs once more, alone.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../support/directory.ts';

const RUNNER = fileURLToPath(new URL('../../scripts/tests/runner.js', import.meta.url));
const GOOD = `test('good', () => {});`;
const BAD = `describe('parts', () => { it('bad', () => { throw new Error('always'); }); it('other', () => {}); });`;
const CRASHES = 'process.exit(3);';
/** Fails in its first run only. */
const SOMETIMES = `test('sometimes', () => {
  if (!existsSync(import.meta.filename + '.seen')) {
    writeFileSync(import.meta.filename + '.seen', '');
    throw new Error('the first time');
  }
});`;

it('a file that passes alone does not fail the run, and is named in the last lines', (t) => {
  const { status, out } = runFiles(t, { good: GOOD, sometimes: SOMETIMES });
  assert.equal(status, 0, out);
  assert.match(out, /^ℹ tests 2\n[\s\S]*^ℹ pass 2\nℹ fail 0$/m);
  assert.match(out, /FAILED AT FIRST, passed alone, so find out why: .*sometimes/);
});

it('a file that fails again fails the run, and counts once', (t) => {
  const { status, out } = runFiles(t, { good: GOOD, sometimes: SOMETIMES, bad: BAD });
  assert.equal(status, 1, out);
  assert.match(out, /^ℹ tests 4\nℹ suites 1\nℹ pass 3\nℹ fail 1$/m);
  assert.match(out, /FAILED AT FIRST, passed alone, so find out why: .*sometimes/);
  assert.doesNotMatch(out, /FAILED AT FIRST[^\n]*bad/);
});

it('a failed test that a helper in another file registered fails the run, and is counted', (t) => {
  const helper = join(temporaryDirectory(t), 'helper.mjs');
  writeFileSync(
    helper,
    "import { test } from 'node:test';\nexport const named = (name, fn) => void test(name, fn);",
  );
  const content = (body: string) =>
    `const { named } = await import(${JSON.stringify(helper)});\nnamed('by a helper', () => { ${body} });`;
  const good = runFiles(t, { good: GOOD, helped: content('') });
  assert.equal(good.status, 0, good.out);
  assert.match(good.out, /^ℹ tests 2\n[\s\S]*^ℹ pass 2\nℹ fail 0$/m);
  const bad = runFiles(t, { good: GOOD, helped: content("throw new Error('always');") });
  assert.equal(bad.status, 1, bad.out);
  assert.match(bad.out, /^ℹ tests 2\n[\s\S]*^ℹ pass 1\nℹ fail 1$/m);
  const once = content(SOMETIMES.replace(/^.*\n|\n.*$/g, ''));
  const sometimes = runFiles(t, { good: GOOD, helped: once });
  assert.equal(sometimes.status, 0, sometimes.out);
  assert.match(sometimes.out, /FAILED AT FIRST, passed alone, so find out why: .*helped/);
});

it('a file that crashes fails the run', (t) => {
  const { status, out } = runFiles(t, { good: GOOD, crashes: CRASHES });
  assert.equal(status, 1, out);
  assert.match(out, /^ℹ fail 1$/m);
});

it('of three failed files none runs again, nor of a run in which every file fails', (t) => {
  const three = runFiles(t, { good: GOOD, a: SOMETIMES, b: SOMETIMES, c: SOMETIMES });
  assert.equal(three.status, 1, three.out);
  assert.match(three.out, /^ℹ fail 3$/m);
  const all = runFiles(t, { a: SOMETIMES });
  assert.equal(all.status, 1, all.out);
  assert.match(all.out, /^ℹ fail 1$/m);
});

/** Passes if the other file runs beside it. */
const meets = (own: string, other: string, tries: number) => `test('meets', async () => {
  const at = (name) => import.meta.filename.replace(/[^/]*$/, name);
  writeFileSync(at('${own}.began'), '');
  for (let tries = 0; !existsSync(at('${other}.began')); tries++) {
    if (tries > ${tries}) throw new Error('runs alone');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});`;

it('another file begins while a core is idle, and none while all are busy', (t) => {
  const files = (tries: number) => ({ a: meets('a', 'b', tries), b: meets('b', 'a', tries) });
  const idle = runFiles(t, files(100), { least: 1, most: 2, minIdleCores: -1 });
  assert.match(idle.out, /^ℹ fail 0$/m);
  const busy = runFiles(t, files(20), { least: 1, most: 2, minIdleCores: 10_000 });
  assert.match(busy.out, /runs alone/);
});

it('the last files run when all others have ended', (t) => {
  const slow = `test('slow', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    writeFileSync(import.meta.filename + '.ended', '');
  });`;
  const judge = `test('last', () => {
    if (!existsSync(import.meta.filename.replace('judge', 'slow') + '.ended')) throw new Error('too early');
  });`;
  const { status, out } = runFiles(t, { slow, judge, good: GOOD }, undefined, ['judge']);
  assert.equal(status, 0, out);
  assert.match(out, /^ℹ pass 3$/m);
  assert.doesNotMatch(out, /FAILED AT FIRST/);
});

function runFiles(
  t: TestContext,
  contents: Readonly<Record<string, string>>,
  { least, most, minIdleCores } = { least: 2, most: 2, minIdleCores: 0 },
  last: readonly string[] = [],
) {
  const directory = temporaryDirectory(t);
  const files = Object.entries(contents).map(([name, content]) => {
    const path = join(directory, `${name}.test.mjs`);
    const imports =
      "import { describe, it, test } from 'node:test';\nimport { existsSync, writeFileSync } from 'node:fs';\n";
    writeFileSync(path, imports + content.replaceAll('import.meta.filename', JSON.stringify(path)));
    return path;
  });
  const isLast = (path: string) => last.some((name) => path.endsWith(`/${name}.test.mjs`));
  const options = {
    waves: [{ files: files.filter((path) => !isLast(path)), concurrency: { least, most } }],
    last: files.filter(isLast),
    minIdleCores,
    timeoutMs: 30_000,
    namePatterns: [],
    durationsFile: join(directory, 'durations.json'),
  };
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout } = spawnSync(process.execPath, [RUNNER, JSON.stringify(options)], {
    encoding: 'utf8',
    env,
  });
  return { status, out: stdout };
}
