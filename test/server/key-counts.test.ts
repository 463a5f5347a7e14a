import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyCounts } from '../../src/server/key-counts.ts';

test('a key counts once for each add, and is forgotten with its last remove', () => {
  const counts = new KeyCounts();
  for (const key of ['a', 'a', 'b']) counts.add(key);
  assert.deepEqual([counts.of('a'), counts.of('b'), counts.of('c'), counts.size], [2, 1, 0, 2]);
  counts.remove('a');
  counts.remove('b');
  assert.deepEqual([counts.of('a'), counts.size], [1, 1]);
  counts.remove('b');
  counts.remove('a');
  assert.deepEqual([counts.of('b'), counts.size], [0, 0]);
});
