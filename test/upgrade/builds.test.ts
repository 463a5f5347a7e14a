import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildOf, NoHistoryError } from './builds.ts';

test('a commit that is not in the history here is named, with the way to get it', () => {
  for (const commit of ['0'.repeat(40), 'no-such-branch', '--output=x'])
    assert.throws(
      () => buildOf(commit),
      (error) => error instanceof NoHistoryError && error.message.includes(commit),
    );
});
