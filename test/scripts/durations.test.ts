// The order of the test files.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LONG_FILES, longestFirst } from '../../scripts/tests/durations.ts';
import { testFiles } from '../../scripts/tests/files.ts';
import { select } from '../../scripts/tests/suites.ts';

it('files that are known to take long exist', () => {
  const sources = new Set(testFiles().map(({ source }) => source));
  for (const source of Object.keys(LONG_FILES)) assert.ok(sources.has(source), source);
});

it('every file belongs to exactly one of the suites that CI runs', () => {
  const played = (['all', 'bench', 'long'] as const).flatMap((suite) => select(suite, []));
  assert.deepEqual(
    played.map(({ source }) => source).sort(),
    testFiles().map(({ source }) => source),
  );
});

it('on a fresh checkout the files that are known to take long begin, and unit files end', () => {
  const ordered = longestFirst(testFiles(), {});
  const [first] = ordered;
  assert.equal(first?.source, 'test/chaos/chaos.test.ts');
  assert.equal(ordered.at(-1)?.kind, 'unit');
});

it('a measured time counts more than an assumed one', () => {
  const files = testFiles();
  const short = files.find(({ kind }) => kind === 'unit');
  assert.ok(short);
  assert.equal(longestFirst(files, { [short.path]: 3_600_000 })[0], short);
});
