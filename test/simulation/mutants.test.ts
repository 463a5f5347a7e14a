// The mutants fit today's code: each patch can be applied, changes what the program does, and still compiles.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readMutants, SURVIVORS } from '../../simulation/mutants/catalog.ts';
import { asJs, compileMutants } from '../../simulation/mutants/compile.ts';
import { MutantError, parseMutant, withFault } from '../../simulation/mutants/mutant.ts';

// From dist/test/simulation.
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const mutants = readMutants(ROOT);

/** The kinds of faults that reviews found before there was a simulator. */
const OLD_KINDS = [
  'a copy removed before its successor is synced',
  'a partition sent to while it is held',
  'a stop that waits for workers',
  'a dead letter counted when it is handed over',
  '`stored` told out of order',
  'an identity used on another cluster',
  'throttling taken for silence',
];

describe('the mutants', () => {
  it('have every kind of old fault, and at least thirty other faults', () => {
    const kinds = new Set(mutants.flatMap(({ oldKind }) => oldKind ?? []));
    assert.deepEqual([...kinds].sort(), [...OLD_KINDS].sort());
    assert.ok(mutants.filter(({ oldKind }) => oldKind === undefined).length >= 30);
  });

  it('are told apart by their words, too', () => {
    const faults = mutants.map(({ fault }) => fault);
    assert.equal(new Set(faults).size, faults.length);
  });

  it('are the only ones that are known to survive', () => {
    const names = new Set(mutants.map(({ name }) => name));
    assert.deepEqual(
      [...SURVIVORS.keys()].filter((name) => !names.has(name)),
      [],
    );
  });

  it('fit the code of today, compile, and change what it does', () => {
    mkdirSync(join(ROOT, '.cache'), { recursive: true });
    const compiled = compileMutants(ROOT, mkdtempSync(join(ROOT, '.cache', 'mutants-')), mutants);
    const unchanged = mutants.filter(
      ({ name, file }) =>
        bare(compiled.get(name) ?? '') === bare(readFileSync(join(ROOT, 'dist', asJs(file)), 'utf8')),
    );
    assert.deepEqual(
      unchanged.map(({ name }) => name),
      [],
    );
  });
});

/** Without comments and white space. */
const bare = (code: string): string =>
  code
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '')
    .replace(/\s+/g, '');

describe('a patch', () => {
  const source = ['one', 'two', 'three', 'four', 'five', ''].join('\n');
  const patch = (lines: readonly string[], at = 2) =>
    [
      '# A fault. Breaks: a',
      '# promise.',
      '--- a/src/x.ts',
      '+++ b/src/x.ts',
      `@@ -${at},3 +${at},3 @@`,
      ...lines,
      '',
    ].join('\n');
  const usual = patch([' two', '-three', '+drei', ' four']);

  it('has its fault and its promise in words', () => {
    const { name, fault, breaks, file, oldKind } = parseMutant('x', usual);
    assert.deepEqual(
      { name, fault, breaks, file, oldKind },
      { name: 'x', fault: 'A fault.', breaks: 'a promise.', file: 'src/x.ts', oldKind: undefined },
    );
  });

  it('is applied at its place, and at another one if its lines have moved', () => {
    const mutant = parseMutant('x', usual);
    assert.equal(withFault(mutant, source), source.replace('three', 'drei'));
    assert.equal(
      withFault(mutant, `zero\nzero\n${source}`),
      `zero\nzero\n${source.replace('three', 'drei')}`,
    );
  });

  it('fails with its name and its file if its lines have changed, or are there more than once elsewhere', () => {
    const mutant = parseMutant('x', usual);
    const moved = `zero\n${source}`;
    for (const changed of [source.replace('three', '3'), moved + source])
      assert.throws(
        () => withFault(mutant, changed),
        (error: Error) => error instanceof MutantError && /^x: .*src\/x\.ts/.test(error.message),
      );
  });

  it('without words, a diff or a change is refused', () => {
    for (const text of [
      usual.replace(/^#.*\n/gm, ''),
      usual.replace('Breaks: ', ''),
      patch([]),
      '',
      usual.replace(' two', 'two'),
    ])
      assert.throws(() => parseMutant('x', text), MutantError);
  });
});
