// Holds docs/upgrading.md to the plays and to the former versions that are tried.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FORMER } from './former.ts';
import { PLAYS } from './plays.ts';

const PAGE = readFileSync(fileURLToPath(new URL('../../../docs/upgrading.md', import.meta.url)), 'utf8');
const LISTED = PAGE.slice(PAGE.indexOf('## What was tried'));

test('docs/upgrading.md lists every play and every former version, and no other', () => {
  const rows = [...LISTED.matchAll(/^\| (.+) \| (.+) \|$/gm)].map(([, first, second]) => [first, second]);
  assert.deepEqual(rows, [
    ...FORMER.map(({ commit, about }) => [commit, about]),
    ['play', 'what happens, and what has to hold'],
    ...PLAYS.map(({ name, about }) => [name, about]),
  ]);
});
