// The hunt for a mutant: which end of a simulation counts as a find. Scripts stand in for the simulation.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type Catch, hunt } from '../../simulation/mutants/hunt.ts';
import { temporaryDirectory } from '../support/directory.ts';

const FAILS = `
const seed = Number(process.argv[process.argv.indexOf('--seed') + 1]);
console.log(JSON.stringify({ failed: { seed: seed + 7, rule: 'twice', words: process.argv.slice(2).join(' ') } }));
process.exitCode = 1;`;
const PASSES = 'console.log(JSON.stringify({ played: 3 }))';
const CRASHES = 'throw new Error("no such thing")';

async function huntWith(
  t: TestContext,
  { mutated, original, minutes = 1 }: { mutated: string; original: string; minutes?: number },
): Promise<Catch> {
  const folder = temporaryDirectory(t);
  const place = (name: string, code: string) => {
    const main = join(folder, name, 'dist', 'simulation');
    mkdirSync(main, { recursive: true });
    writeFileSync(join(main, 'main.js'), code);
    return join(folder, name);
  };
  const { signal } = new AbortController();
  const paths = { mutated: place('mutated', mutated), original: place('original', original) };
  return hunt({ ...paths, minutes, given: ['--steps', '9'], signal });
}

describe('a mutant', () => {
  it('is found if a seed fails with its fault and passes without it', async (t) => {
    // The seed that failed is played again, not the first one.
    const original = `if (!process.argv.join(' ').includes('--histories 1 --steps 9')) process.exitCode = 1;`;
    const { outcome, seed, rule, words, unsound } = await huntWith(t, { mutated: FAILS, original });
    assert.equal(outcome, 'found');
    assert.equal(rule, 'twice');
    assert.deepEqual(unsound, []);
    assert.match(words ?? '', /^--no-shrink --json --seed \d+ --minutes [\d.]+ --steps 9$/);
    assert.equal(seed, 7 + Number(/--seed (\d+)/.exec(words ?? '')?.[1]));
  });

  it('is not found by seeds that fail without its fault, too', async (t) => {
    const { outcome, unsound } = await huntWith(t, { mutated: FAILS, original: FAILS, minutes: 0.005 });
    assert.equal(outcome, 'survived');
    assert.ok(unsound.length > 0);
  });

  it('survives if every history passes', async (t) => {
    const end = await huntWith(t, { mutated: PASSES, original: PASSES, minutes: 0.005 });
    const { outcome, seconds, passed } = end;
    assert.equal(outcome, 'survived');
    assert.ok(passed >= 3 && passed % 3 === 0, `${passed} histories`);
    assert.ok(seconds >= 0.3);
  });

  it('is found if the simulation crashes with it, and only with it', async (t) => {
    const found = await huntWith(t, { mutated: CRASHES, original: PASSES });
    assert.equal(found.outcome, 'found');
    assert.equal(found.seed, undefined);
    assert.match(found.words ?? '', /no such thing/);
    const both = await huntWith(t, { mutated: CRASHES, original: CRASHES, minutes: 0.005 });
    assert.equal(both.outcome, 'survived');
  });
});
